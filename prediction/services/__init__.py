"""What other apps may ask: checks of texts, the rule of words, forecasts, budgets from texts,
learning and the versions of what was learned, run rates, savings."""

from prediction.estimate import Estimate, count_words, estimate
from prediction.learning.rows import Group
from prediction.services.activate import VersionNotReady, activate
from prediction.services.centre_share import set_share
from prediction.services.expect_anomaly import (
    expect_anomaly,
    set_anomaly_freeze,
    tell_again,
)
from prediction.services.learn_paces import learn_paces
from prediction.services.record_work import record_settled_work
from prediction.services.savings import (
    FoundSaving,
    SavingClosed,
    dismiss_saving,
    follow_saving,
    keep_savings,
    lock_saving,
    open_saving,
    tell_saving_again,
)
from prediction.services.text_budget import SizedBudget, record_forecast, size_budget
from prediction.services.text_check import (
    CONTENT_TYPES,
    TextBinary,
    TextEmpty,
    TextNotUtf8,
    TextTooLarge,
    UnsupportedTextType,
    check_content_type,
    check_text,
)
from prediction.services.train_model import TRAINING_SECONDS_MAX, train_model
from prediction.services.watch_anomalies import watch_calls, watch_usage
from prediction.services.watch_limits import watch_limits
from prediction.services.work_forecast import WorkForecast, forecast, forecasts, is_learned

__all__ = [
    "CONTENT_TYPES",
    "TRAINING_SECONDS_MAX",
    "Estimate",
    "FoundSaving",
    "Group",
    "SavingClosed",
    "SizedBudget",
    "TextBinary",
    "TextEmpty",
    "TextNotUtf8",
    "TextTooLarge",
    "UnsupportedTextType",
    "VersionNotReady",
    "WorkForecast",
    "activate",
    "check_content_type",
    "check_text",
    "count_words",
    "dismiss_saving",
    "estimate",
    "expect_anomaly",
    "follow_saving",
    "forecast",
    "forecasts",
    "is_learned",
    "keep_savings",
    "learn_paces",
    "lock_saving",
    "open_saving",
    "record_forecast",
    "record_settled_work",
    "set_anomaly_freeze",
    "set_share",
    "size_budget",
    "tell_again",
    "tell_saving_again",
    "train_model",
    "watch_calls",
    "watch_limits",
    "watch_usage",
]
