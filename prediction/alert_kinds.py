"""The kinds of alerts about the pace of usage."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

LIMIT_RUNS_OUT = register(
    AlertKind(
        slug="limit_runs_out",
        severity=Severity.WARNING,
        meaning="At this pace, a limit of an API key, an agent or a cost centre will be exhausted "
        "before its reset. From then on, calls and new budgets are refused.",
        remedy="See on the page of the window who uses it. Lower the usage, raise the limit, or "
        "add another key. Butler tells this once in each window, and resolves the alert when the "
        "limit lasts until its reset or the window is over.",
        page="window",
        subject="window",
    )
)
ANOMALY_SPIKE = register(
    AlertKind(
        slug="anomaly_spike",
        severity=Severity.WARNING,
        meaning="An agent spends far more in an hour than in the same hours of the past four "
        "weeks, and more than in any hour of them.",
        remedy="See on the page of the agent which calls it makes. Freeze it if nobody knows "
        "why. If it is meant, say so under Reports, Forecasts, and it is not told again. Butler "
        "resolves the alert when it is no longer seen.",
        page="agent",
        subject="agent_id",
    )
)
ANOMALY_CREEP = register(
    AlertKind(
        slug="anomaly_creep",
        severity=Severity.WARNING,
        meaning="An agent has spent more each day for some time, too little at once to be noticed.",
        remedy="Compare its tasks and models with those of a month ago, and lower its limit if "
        "the work is the same. If it is meant, say so under Reports, Forecasts, and it is not "
        "told again. Butler resolves the alert when it is no longer seen.",
        page="agent",
        subject="agent_id",
    )
)
ANOMALY_LOOP = register(
    AlertKind(
        slug="anomaly_loop",
        severity=Severity.WARNING,
        meaning="A session makes the same call again and again, or calls whose input grows by "
        "the same amount each time. Such programs go on until their budget ends.",
        remedy="Look at the latest charges of the agent, and end the session or freeze the "
        "agent. If it is meant, say so under Reports, Forecasts, and it is not told again. Butler "
        "resolves the alert when it is no longer seen.",
        page="agent",
        subject="agent_id",
    )
)
ANOMALY_STUCK = register(
    AlertKind(
        slug="anomaly_stuck",
        severity=Severity.WARNING,
        meaning="A session is open and has settled no call for far longer than its agent waits "
        "between two calls. Its budget stays set aside.",
        remedy="See whether the program still runs. End the session to give its budget back. If "
        "it is meant, say so under Reports, Forecasts, and it is not told again. Butler resolves "
        "the alert when it is no longer seen.",
        page="agent",
        subject="agent_id",
    )
)
ANOMALY_STORM = register(
    AlertKind(
        slug="anomaly_storm",
        severity=Severity.WARNING,
        meaning="Most calls of an agent come to nothing, and it makes many of them: it tries "
        "again and again what is refused or fails.",
        remedy="Look at the refusals and errors of its calls. Freeze the agent, or mend the key "
        "or the provider that fails. If it is meant, say so under Reports, Forecasts, and it is "
        "not told again. Butler resolves the alert when it is no longer seen.",
        page="agent",
        subject="agent_id",
    )
)
ANOMALY_SHIFT = register(
    AlertKind(
        slug="anomaly_shift",
        severity=Severity.WARNING,
        meaning="For two days, calls on an API key have cost far more or less per token, or "
        "needed far more or fewer tokens, than in the weeks before. The provider may have changed "
        "a price or a model, or agents may do other work.",
        remedy="Compare the provider's prices with the price book, and ask who changed prompts. "
        "If it is meant, say so under Reports, Forecasts, and it is not told again. Butler "
        "resolves the alert when it is no longer seen.",
        page="key",
        subject="key_id",
    )
)
