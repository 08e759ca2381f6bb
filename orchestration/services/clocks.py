"""Tell people when the clock of a host differs from that of the database."""

from datetime import datetime

from alerts import services as alerts
from common.database_clock import Measurement
from orchestration import alert_kinds
from security.actor import Actor

_ACTOR = Actor.job("orchestrator")


def tell_of_skew(measured: Measurement | None, *, host: str, now: datetime) -> None:
    """Raise the alert about the host's clock, or resolve it when the clocks agree again."""
    if measured is None:
        return
    key = f"clock:{host}"
    if not measured.is_skewed:
        alerts.resolve_by_key(key, actor=_ACTOR, note="The clocks agree again.", now=now)
        return
    seconds = measured.skew.total_seconds()
    way = "ahead of" if seconds > 0 else "behind"
    alerts.raise_alert(
        kind=alert_kinds.CLOCK_SKEWED,
        dedup_key=key,
        title=f"The clock of {host} is wrong",
        detail=f"It is {abs(seconds):.1f} s {way} the clock of the database.",
        facts={"host": host, "seconds": round(seconds, 1)},
        now=now,
    )
