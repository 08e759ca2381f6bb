"""The kinds of alerts that rules over usage raise."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

BUDGET_LANDING = register(
    AlertKind(
        slug="budget_landing",
        severity=Severity.WARNING,
        meaning="At the pace of the last weeks, a cost centre will use more in this period than a "
        "rule allows of its budget. Calls are refused when the budget is used up.",
        remedy="See on the page of the budget who spends it. Lower the usage, raise the budget, or "
        "ask for more. Butler resolves the alert when the period is expected to end below it, or "
        "is over.",
        page="budget",
        subject="cost_centre",
    )
)
SPEND_SPIKE = register(
    AlertKind(
        slug="spend_spike",
        severity=Severity.WARNING,
        meaning="The last full hour cost far more than the same hour of the same weekday in the "
        "past four weeks. A program may be in a loop, or somebody began something large.",
        remedy="See in the spend explorer who spent it and on which model. If it is not meant, "
        "freeze the agent. Butler resolves the alert when an hour costs what it usually does.",
        page="spend_of_centre",
        subject="cost_centre",
    )
)
KEY_RUNS_OUT = register(
    AlertKind(
        slug="key_runs_out",
        severity=Severity.WARNING,
        meaning="At the pace of the last hour, this API key has used up one of its limits well "
        "before the limit resets. Butler then lends no more on the key.",
        remedy="Raise the limit, add another key for the same models, or see on the key's page who "
        "uses it. Butler resolves the alert when the key lasts until its reset.",
        page="key",
        subject="key_id",
    )
)
ESTIMATES_HIGH = register(
    AlertKind(
        slug="estimates_high",
        severity=Severity.WARNING,
        meaning="A large share of the cost of the last 24 hours is estimated, because providers "
        "did not say what calls used. Figures may be corrected later.",
        remedy="Group the spend by model and by key to see where estimates come from, and compare "
        "them with the provider's usage report. Butler resolves the alert when the share is lower.",
        page="spend_of_centre",
        subject="cost_centre",
    )
)
