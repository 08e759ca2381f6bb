"""The kinds of alerts about what agents ask for through the gateway."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

REQUEST_REFUSED = register(
    AlertKind(
        slug="request_refused",
        severity=Severity.WARNING,
        meaning="A provider refused a request of this agent with a status that often concerns the "
        "API key (401, 402, 403 or 429), but the refusal concerns the request or its route: the "
        "provider says so, or answered another key likewise. The agent got the provider's answer, "
        "and Butler left the keys alone.",
        remedy="Read the provider's sentence in the alert. If a firewall or a moderation refused "
        "the request, find out what the agent asks for: providers close accounts that go on. If a "
        "scope or a model is missing, enable it for the key in the provider's console.",
        page="agent",
        subject="agent_id",
    )
)
