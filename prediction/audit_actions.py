"""What `prediction` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on forecasts, anomalies and savings."""

    SHARE_SET = "forecast_share.set"
    ANOMALY_EXPECT = "anomaly.expect"
    ANOMALY_TELL_AGAIN = "anomaly.tell_again"
    ANOMALY_FREEZE_SET = "anomaly_freeze.set"
    VERSION_USE = "forecast_model.use"
    SAVING_FOLLOW = "saving.follow"
    SAVING_DISMISS = "saving.dismiss"
    SAVING_TELL_AGAIN = "saving.tell_again"
