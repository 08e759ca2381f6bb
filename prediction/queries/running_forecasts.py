"""What was forecast for sessions that run, and which of them go round in a loop."""

from collections.abc import Iterable, Mapping

from prediction.models import Anomaly, AnomalyKind, Forecast


def forecasts_of(session_ids: Iterable[str]) -> Mapping[str, Forecast]:
    """The learned forecast of each session that has one; one query."""
    rows = Forecast.objects.filter(pk__in=list(session_ids), p90__isnull=False)
    return {row.session_id: row for row in rows}


def looping_sessions() -> set[str]:
    """The sessions whose calls go round in a loop now; one query."""
    running = Anomaly.objects.filter(kind=AnomalyKind.LOOP, ended_at=None)
    return set(running.values_list("evidence__session", flat=True)) - {None}
