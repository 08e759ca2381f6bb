"""The forecaster that is in use, kept in the memory of each process."""

import logging
import time
from dataclasses import dataclass
from threading import Lock

from prediction.learning.adaptive import AdaptiveQuantile
from prediction.learning.codec import ModelBroken, from_json
from prediction.learning.forecaster import Forecaster
from prediction.models import ForecastModel, ForecastModelContent
from prediction.queries.coverage import settled_scores

log = logging.getLogger(__name__)
# So long a process goes on with the version that it knows.
SECONDS_KEPT = 10.0


@dataclass(frozen=True, slots=True)
class InUse:
    """The version in use and its forecaster; None while the rule of words goes on. `shifts`: by how
    much the logarithm of P90 is moved for each model, by what was missed since."""

    version: int | None
    forecaster: Forecaster | None
    shifts: dict[str, float]


_NOTHING = InUse(None, None, {})
_lock = Lock()
_kept: list[InUse] = [_NOTHING]
_looked_at = [float("-inf")]


def in_use() -> InUse:
    """What is in use. The database is asked every SECONDS_KEPT seconds; what is damaged is logged
    and left out, so that the rule of words goes on."""
    if time.monotonic() - _looked_at[0] < SECONDS_KEPT:
        return _kept[0]
    with _lock:
        if time.monotonic() - _looked_at[0] < SECONDS_KEPT:
            return _kept[0]
        _kept[0] = _read(_kept[0])
        _looked_at[0] = time.monotonic()
        return _kept[0]


def forget() -> None:
    """Ask the database the next time: after another version was taken into use."""
    _looked_at[0] = float("-inf")


def _read(before: InUse) -> InUse:
    version = ForecastModel.objects.filter(in_use=True).values_list("pk", flat=True).first()
    if version is None:
        return _NOTHING
    forecaster = before.forecaster if version == before.version else _forecaster(version)
    return InUse(version, forecaster, {} if forecaster is None else _shifts())


def _forecaster(version: int) -> Forecaster | None:
    data = ForecastModelContent.objects.filter(pk=version).values_list("data", flat=True).first()
    try:
        return from_json(data or {})
    except ModelBroken as error:
        log.error("Version %s of the forecasts cannot be used: %s", version, error)
        return None


def _shifts() -> dict[str, float]:
    """The shift of each model, from what its newest forecasts missed by."""
    followed: dict[str, AdaptiveQuantile] = {}
    for model, score in settled_scores():
        followed.setdefault(model, AdaptiveQuantile()).settle(score)
    return {model: quantile.shift for model, quantile in followed.items()}
