"""What `prediction` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on forecasts."""

    SHARE_SET = "forecast_share.set"
    VERSION_USE = "forecast_model.use"
