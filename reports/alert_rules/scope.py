"""What rules over usage have in common: the usage of a cost centre in a span of time."""

from datetime import datetime, timedelta

from alerts.rules import Watch
from keys.books.queries.spend import SLICE_SECONDS, Spend, SpendFilter, spend_total
from keys.services import ROOT_COST_CENTRE

SLICE = timedelta(seconds=SLICE_SECONDS)


def spend_in(watch: Watch, since: datetime, until: datetime) -> Spend:
    """What the cost centre of the rule, with those below it, spent; one query."""
    centres = (watch.cost_centre,) if watch.cost_centre else ()
    return spend_total(SpendFilter(since, until, cost_centres=centres))


def centre_of(watch: Watch) -> str:
    """The cost centre that an alert is about: that of the rule, else the one above all."""
    return watch.cost_centre or ROOT_COST_CENTRE
