"""True up charges that were settled on an estimate, by what the provider bills for them."""

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

from common.refusal import Refusal
from keys import services as keys
from keys.models import Charge
from security.actor import Actor
from treasury.models.amounts import PLACES
from treasury.models.reconciliations import ALONE_MAX
from treasury.queries.reconciliation import estimated_calls, reported
from treasury.reconciliation.calls import billed_calls
from treasury.reconciliation.differences import OwnCall
from treasury.services.adjust_difference import usage_with


def true_up_estimates(
    provider: str, *, since: date, until: date, actor: Actor, now: datetime
) -> int:
    """Let estimated charges count for what the latest reports bill for their request ids; how many.

    Each is an adjustment with a date, and the request and the reports as its reason. A charge is
    trued up once: what a later report changes is a difference for a person, and so is an amount
    that needs two persons. Owns its transactions, one for each charge.
    """
    estimates = estimated_calls(provider, since=since, until=until)
    if not estimates:
        return 0
    told = reported(provider, since=since, until=until)
    billed = billed_calls([*told.lines, *told.asked])
    reports = "report" + "s" * (len(told.reports) > 1) + " " + ", ".join(map(str, told.reports))
    count = 0
    for call in estimates:
        amount = billed.get(call.request_id)
        if amount is not None and _is_small(call, amount):
            count += _true_up(call, amount, reports, actor=actor, now=now)
    return count


def _is_small(call: OwnCall, amount: Decimal) -> bool:
    return amount >= 0 and call.cost != amount and abs(amount - call.cost) <= ALONE_MAX


def _true_up(call: OwnCall, amount: Decimal, reports: str, *, actor: Actor, now: datetime) -> bool:
    charge, cost = Charge.objects.get(pk=call.charge_id), round(amount, PLACES)
    # A charge that the books refuse to change stays a difference.
    with suppress(Refusal):
        _, is_new = keys.adjust_charge(
            charge_id=charge.pk,
            usage=usage_with(charge, cost=cost),
            cost=cost,
            reason=f"Trued up: it was estimated, and {reports} bill {cost:f} USD for the request "
            f"{call.request_id}.",
            actor=actor,
            idempotency_key="true up",
            now=now,
        )
        return is_new
    return False
