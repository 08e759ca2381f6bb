"""Money that lies there and is not spent: keys that nobody uses, budgets that are far too large."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from keys.books.queries.idle_keys import UnusedBudgets, idle_keys, unused_budgets
from keys.models import ApiKey
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.cheaper import AMOUNT_MIN, TRIES_MIN
from prediction.savings.intervals import Interval
from treasury.queries.balances_of_credit import whole_credit
from treasury.queries.consumption import credits, provider_of

# Budgets of which less than this share was used are oversize.
_USED_MIN = 0.5


def unused_keys(*, since: datetime) -> Iterator[prediction.FoundSaving]:
    """Keys that are on and were not lent, with the credit of a provider none of whose keys was."""
    idle = idle_keys(since=since)
    busy = set(
        ApiKey.objects.filter(status=ApiKey.Status.ACTIVE)
        .exclude(pk__in=[each.pk for each in idle])
        .values_list("provider", flat=True)
    )
    credit = {provider_of(each): whole_credit(each) for each in credits()} if idle else {}
    told: set[str] = set()
    for each in idle:
        # Credit is of a provider, so it is counted once.
        is_first = each.provider_id not in busy | told
        told.add(each.provider_id)
        lies = max(credit.get(each.provider_id, Decimal(0)), Decimal(0)) if is_first else Decimal(0)
        yield _unused_key(each, float(lies))


def _unused_key(key: ApiKey, lies: float) -> prediction.FoundSaving:
    there = (
        f" Prepaid credit of {lies:,.2f} USD lies with {key.provider_id}, none of whose keys is "
        "used."
        if lies
        else ""
    )
    return prediction.FoundSaving(
        kind=SavingKind.IDLE_KEY,
        subject=f"key:{key.pk}",
        advice=Saving.Advice.PAUSE,
        amount=Interval(lies, lies, lies),
        words=f"{key.pk} ({key.model}) is on and was lent nothing for 30 days. It costs nothing, "
        f"but a secret that nobody needs is a risk.{there}",
        evidence={"provider": key.provider_id},
    )


def oversize_budgets(*, since: datetime, until: datetime) -> Iterator[prediction.FoundSaving]:
    """Agents that are lent far more than they use."""
    for each in unused_budgets(since=since, until=until):
        is_oversize = each.used < _USED_MIN * each.allocated
        if each.budgets >= TRIES_MIN and is_oversize and each.locked >= AMOUNT_MIN:
            yield _oversize(each)


def _oversize(each: UnusedBudgets) -> prediction.FoundSaving:
    locked = float(each.locked)
    return prediction.FoundSaving(
        kind=SavingKind.OVERSIZE,
        subject=f"agent:{each.agent}",
        cost_centre=each.cost_centre,
        advice=Saving.Advice.LOOK,
        amount=Interval(locked, locked, locked),
        words=f"{each.budgets:,} budgets of {each.agent} that ended had {each.allocated:,} tokens "
        f"on average, and {each.used:,} were used. Nothing is spent by that, but {locked:,.2f} USD "
        "of limits were set aside at an average moment, and others could not use them. Let the "
        "agent ask with a text, so that forecasts size its budgets, or ask for less.",
        evidence={
            "budgets": each.budgets,
            "allocated_tokens": each.allocated,
            "used_tokens": each.used,
        },
    )
