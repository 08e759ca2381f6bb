"""Tell people whose requests a provider refuses."""

from datetime import datetime

from django.db import transaction

from alerts import services as alerts
from gateway.alert_kinds import REQUEST_REFUSED


@transaction.atomic(durable=True)
def report_refused_request(
    *, agent_id: str, session_id: str, key_id: str, answer: str, now: datetime
) -> None:
    """Raise an alert about a request that was refused, but not for its API key.

    At most one stands for each agent, and counts in `facts.times`. `answer`: the provider's words,
    without secrets.
    """
    alert, is_new = alerts.raise_alert(
        kind=REQUEST_REFUSED,
        dedup_key=f"request_refused:{agent_id}",
        title=f"A provider refused a request of {agent_id}",
        detail=f"{answer}\nIt answered so to the session {session_id} on {key_id}.",
        agent_id=agent_id,
        session_id=session_id,
        facts={"key_id": key_id, "times": 1},
        now=now,
    )
    if not is_new:
        alerts.count_again(alert)
