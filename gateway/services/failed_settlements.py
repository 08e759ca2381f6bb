"""Tell people that a call could not be settled."""

from datetime import datetime

from alerts import services as alerts
from gateway.alert_kinds import SETTLEMENT_FAILED


def report_failed_settlement(*, charge_id: int, key_id: str, error: str, now: datetime) -> None:
    """Raise an alert about a settlement that failed and is tried again.

    At most one stands for each API key. `error`: the name of the exception; the log has the rest.
    """
    alerts.raise_alert(
        kind=SETTLEMENT_FAILED,
        dedup_key=f"settlement_failed:{key_id}",
        title=f"Charge {charge_id} on {key_id} could not be settled",
        detail=f"The books refused it with {error}.",
        key_id=key_id,
        facts={"charge": charge_id, "error": error},
        now=now,
    )
