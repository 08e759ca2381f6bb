"""A large share of the cost is estimated."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from alerts.rules import Finding, RuleKind, Watch, register
from common import formatting
from keys.books.queries.spend import slice_start
from reports.alert_kinds import ESTIMATES_HIGH
from reports.alert_rules.scope import SLICE, centre_of, spend_in

_DAY = timedelta(days=1)
_USD_MIN = Decimal(1)


def _find(watch: Watch) -> Iterator[Finding]:
    until = slice_start(watch.now) + SLICE
    spend = spend_in(watch, until - _DAY, until)
    if spend.cost < _USD_MIN or spend.estimated_cost * 100 <= spend.cost * watch.figure:
        return
    share = spend.estimated_cost * 100 / spend.cost
    cost, estimated = formatting.dollars(spend.cost), formatting.dollars(spend.estimated_cost)
    yield Finding(
        key="share",
        title=f"{share:,.1f} % of the cost of {watch.cost_centre or 'the organisation'} is "
        "estimated",
        detail=f"{estimated} of {cost} in the last 24 hours are estimated, of "
        f"{formatting.count(spend.estimated_calls, 'call')}.",
        facts={"cost_centre": centre_of(watch), "estimated": f"{spend.estimated_cost:f}"},
    )


register(
    RuleKind(
        slug="estimated_share",
        title="Share of estimated cost",
        about="More than this percentage of the cost of the last 24 hours is estimated. Less than "
        "one US dollar is not looked at.",
        figure="Percent of the cost",
        least=0,
        most=100,
        default=5,
        alert_kind=ESTIMATES_HIGH,
        find=_find,
    )
)
