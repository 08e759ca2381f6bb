"""The kinds of alerts about the calls that agents make through the gateway."""

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
CREDENTIAL_SENT = register(
    AlertKind(
        slug="credential_sent",
        severity=Severity.WARNING,
        meaning="A call of this agent has a credential of a known form in it, such as a key of a "
        "cloud. The guard of the agent's cost centre says whether such a call is refused or goes "
        "on. If it went on, the provider has the credential now.",
        remedy="Find out where the agent has the credential from: a file, a log, an environment "
        "variable or the answer of a tool. Take it out of there, and replace it if a provider got "
        "it.",
        page="agent",
        subject="agent_id",
        is_security=True,
    )
)
SETTLEMENT_FAILED = register(
    AlertKind(
        slug="settlement_failed",
        severity=Severity.CRITICAL,
        meaning="A call was made with this API key, and an error kept Butler from writing down "
        "what it cost. Its tokens stay held and Butler tries again until it succeeds. If the web "
        "process ends before that, the call is charged all that was held for it.",
        remedy="Read the error in the log of the web processes, and report it to Butler's "
        "developers. Resolve the alert when the charge that it names is settled.",
        page="key",
        subject="key_id",
    )
)
