"""Learn a new version of the forecasts from the newest settled work."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from prediction.learning.codec import to_json
from prediction.learning.counts import NAMES
from prediction.learning.effects import LEVELS
from prediction.learning.rows import TARGETS
from prediction.learning.text_models import SEED
from prediction.learning.train import train_and_score
from prediction.models import ForecastModel, ForecastModelContent
from prediction.queries.training_rows import TrainingRows, training_rows
from prediction.services.activate import switch
from security.actor import Actor

# Fewer rows teach nothing that the rule of words does not say as well.
ROWS_MIN = 30
TRAINING_SECONDS_MAX = 600
VERSIONS_KEPT = 10
_TRAINER = Actor.job("forecast training")


def train_model(*, now: datetime) -> ForecastModel | None:
    """Learn from work that was settled before `now`, and use what was learned.

    It is not used if somebody chose an older version, or the rule of words: then the new version
    waits to be chosen. None while there are fewer than ROWS_MIN rows, or while another training
    runs. A training that was killed counts as failed after TRAINING_SECONDS_MAX; nothing else is
    lost by it.
    """
    found = training_rows(until=now)
    if len(found.rows) < ROWS_MIN:
        return None
    version = _begin(found, now=now)
    if version is None:
        return None
    try:
        trained = train_and_score(found.rows)
        data = to_json(trained.forecaster)
    except Exception as error:
        ForecastModel.objects.filter(pk=version.pk).update(
            status=ForecastModel.Status.FAILED, error=f"{type(error).__name__}: {error}"[:300]
        )
        raise
    _finish(version, data, trained.scores, now=now)
    _forget_old()
    return version


def _begin(found: TrainingRows, *, now: datetime) -> ForecastModel | None:
    try:
        return _started(found, now=now)
    except IntegrityError as error:
        # Another training began at the same time.
        if "forecastmodel_one_in_training" not in str(error):
            raise
        return None


@transaction.atomic(durable=True)
def _started(found: TrainingRows, *, now: datetime) -> ForecastModel | None:
    running = ForecastModel.objects.select_for_update().filter(status=ForecastModel.Status.TRAINING)
    for each in running:
        if each.started_at > now - timedelta(seconds=TRAINING_SECONDS_MAX):
            return None
    ended = [each.pk for each in running]
    ForecastModel.objects.filter(pk__in=ended).update(
        status=ForecastModel.Status.FAILED, error="The process ended before it was done."
    )
    rows = found.rows
    return ForecastModel.objects.create(
        started_at=now,
        rows=len(rows),
        censored=int(rows.censored.sum()),
        texts=len(rows.sketches),
        rows_from=found.since,
        rows_until=found.until,
        features=[*(level.name for level in LEVELS), "text", *NAMES, *TARGETS],
        seed=SEED,
    )


@transaction.atomic(durable=True)
def _finish(
    version: ForecastModel, data: dict[str, object], scores: dict[str, object], *, now: datetime
) -> None:
    ForecastModelContent.objects.create(version=version, data=data)
    version.status, version.scores, version.trained_at = ForecastModel.Status.READY, scores, now
    version.save(update_fields=["status", "scores", "trained_at"])
    if _newest_is_in_use(version):
        reason = "Learned from the newest settled work."
        switch(version.pk, actor=_TRAINER, reason=reason, now=now)


def _newest_is_in_use(version: ForecastModel) -> bool:
    """Whether the newest one before this version is in use, or there was none."""
    before = ForecastModel.objects.filter(status=ForecastModel.Status.READY, pk__lt=version.pk)
    newest = before.order_by("-pk").first()
    return newest is None or newest.in_use


def _forget_old() -> None:
    """Delete the contents of versions that are no longer kept; their cards stay."""
    kept = ForecastModel.objects.filter(status=ForecastModel.Status.READY).order_by("-pk")
    newest = list(kept.values_list("pk", flat=True)[:VERSIONS_KEPT])
    old = ForecastModelContent.objects.exclude(pk__in=newest).exclude(version__in_use=True)
    old.delete()
