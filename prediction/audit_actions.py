"""What `prediction` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on forecasts and anomalies."""

    SHARE_SET = "forecast_share.set"
    ANOMALY_EXPECT = "anomaly.expect"
    ANOMALY_TELL_AGAIN = "anomaly.tell_again"
    ANOMALY_FREEZE_SET = "anomaly_freeze.set"
    VERSION_USE = "forecast_model.use"
