"""Tell people which agents send credentials to providers."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from alerts import services as alerts
from gateway.alert_kinds import CREDENTIAL_SENT


@transaction.atomic(durable=True)
def report_sent_credentials(
    credentials: Mapping[str, str], *, agent_id: str, session_id: str, refused: bool, now: datetime
) -> None:
    """Raise an alert for each rule that found a credential in a call.

    At most one stands for each agent and rule, and counts in `facts.times`. `credentials`: the
    excerpts by rule, without the secrets. `refused`: whether the call was.
    """
    for rule, excerpt in sorted(credentials.items()):
        alert, is_new = alerts.raise_alert(
            kind=CREDENTIAL_SENT,
            dedup_key=f"credential_sent:{agent_id}:{rule}",
            title=f"A call of {agent_id} has a credential in it ({rule})",
            detail=f"{excerpt}. The call was {'refused' if refused else 'sent to the provider'}.",
            agent_id=agent_id,
            session_id=session_id,
            facts={"rule": rule, "excerpt": excerpt, "refused": refused, "times": 1},
            now=now,
        )
        if not is_new:
            alerts.count_again(alert)
