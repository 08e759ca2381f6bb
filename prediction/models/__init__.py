"""Tables of forecasts: texts as sketches, what was forecast, what came of it, what was learned,
run rates, savings."""

from prediction.models.anomalies import Anomaly, AnomalyFreeze, AnomalyKind, ExpectedAnomaly
from prediction.models.forecasts import CentreForecast, Forecast, Share, StoredSketch
from prediction.models.run_rates import RunRate
from prediction.models.savings import IDLE_MONEY, Saving, SavingKind
from prediction.models.settled_work import SettledWork
from prediction.models.versions import ForecastModel, ForecastModelContent

__all__ = [
    "IDLE_MONEY",
    "Anomaly",
    "AnomalyFreeze",
    "AnomalyKind",
    "CentreForecast",
    "ExpectedAnomaly",
    "Forecast",
    "ForecastModel",
    "ForecastModelContent",
    "RunRate",
    "Saving",
    "SavingKind",
    "SettledWork",
    "Share",
    "StoredSketch",
]
