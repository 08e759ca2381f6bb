"""Input that is sent again and again, and not read from the provider's cache."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from gateway.models import RepeatedInput
from keys.books.queries.spend import Spend, SpendFilter, slice_start, spend_total
from keys.models import Agent, ServedModel
from orchestration.queries.first_attempts import FirstAttempt
from orchestration.queries.repeated_attempts import RepeatedAttempts
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.caching import Caching, InputRates, Quarter, caching
from prediction.savings.cheaper import AMOUNT_MIN
from prediction.savings.portions import Spent, portion
from reports.savings.tries import spent, spent_on_failures

AttemptT = TypeVar("AttemptT", FirstAttempt, RepeatedAttempts)
_COLUMNS = (
    *("calls", "input_tokens", "repeated_tokens", "cached_tokens"),
    *("missed_tokens", "fresh_tokens"),
)


class _Use(NamedTuple):
    """Who calls which model on which API key."""

    agent: str
    api_key: str
    model: str


def uncached_input(
    tried: Sequence[FirstAttempt],
    failed: Sequence[RepeatedAttempts],
    *,
    since: datetime,
    until: datetime,
) -> Iterator[prediction.FoundSaving]:
    """Where a provider's cache is sure to save at least a dollar. `tried` and `failed` are the
    attempts of the same time."""
    centres = dict(Agent.objects.values_list("pk", "cost_centre_id"))
    prices = {
        (each.api_key_id, each.model.name): each.price
        for each in ServedModel.objects.select_related("model", "price")
    }
    first, later = _by_use(tried), _by_use(each for each in failed if each.number > 1)
    for use, quarters in _quarters(since, until).items():
        price = prices.get((use.api_key, use.model))
        if price is None or use.agent not in centres:
            continue
        spend = spend_total(_filter(use, since, until))
        rates = price.rates.at(spend.input_tokens // max(spend.calls, 1))
        per_token = InputRates(*(float(rate) / 1000 for rate in rates.all[:3]))
        found = caching(quarters, per_token, month_tokens=float(spend.input_tokens))
        if found and found.amount.low >= AMOUNT_MIN:
            saving = _saving(use, found, per_token)
            portions = _portions(use, spend, first.get(use, []), later.get(use, []))
            yield saving._replace(cost_centre=centres[use.agent], spent=portions)


def _quarters(since: datetime, until: datetime) -> dict[_Use, list[Quarter]]:
    rows = RepeatedInput.objects.filter(starts_at__gte=since, starts_at__lt=until, calls__gt=0)
    found: dict[_Use, list[Quarter]] = defaultdict(list)
    for agent, key, model, *sums in rows.values_list("agent", "api_key", "model", *_COLUMNS):
        found[_Use(agent, key, model)].append(Quarter(*sums))
    return found


def _filter(use: _Use, since: datetime, until: datetime) -> SpendFilter:
    return SpendFilter(
        slice_start(since),
        slice_start(until),
        agents=(use.agent,),
        key_ids=(use.api_key,),
        models=(use.model,),
    )


def _saving(use: _Use, found: Caching, rates: InputRates) -> prediction.FoundSaving:
    agent, key, model = use
    return prediction.FoundSaving(
        kind=SavingKind.CACHING,
        subject=f"agent:{agent}",
        detail=f"{key}, {model}",
        advice=Saving.Advice.LOOK,
        amount=found.amount,
        words=f"Of {found.calls:,} calls of {agent} to {model} on {key} in {found.quarters:,} "
        f"quarters of an hour, {found.repeated:.0%} of the input had been sent in the five minutes "
        f"before, and {found.cached:.0%} of that was read from the provider's cache, which costs "
        f"{rates.cached / rates.given:.0%} of the price. {_remedy(rates)}",
        evidence={
            "api_key": key,
            "model": model,
            "calls": found.calls,
            "quarters": found.quarters,
            "repeated_share": round(found.repeated, 4),
            "cached_share": round(found.cached, 4),
        },
    )


def _remedy(rates: InputRates) -> str:
    if rates.write > rates.given:
        return (
            "Have the agent mark the end of what stays the same with cache_control, in the system "
            "prompt and in the last message; what is written to the cache costs "
            f"{rates.write / rates.given:.0%} of the price, which is taken into account."
        )
    return (
        "Have the agent send what stays the same first and unchanged, the system prompt and the "
        "tools before the conversation, with nothing before it that changes, such as the time."
    )


def _by_use(made: Iterable[AttemptT]) -> dict[_Use, list[AttemptT]]:
    found: dict[_Use, list[AttemptT]] = defaultdict(list)
    for each in made:
        found[_Use(each.agent, each.api_key, each.model)].append(each)
    return found


def _portions(
    use: _Use, spend: Spend, first: list[FirstAttempt], later: list[RepeatedAttempts]
) -> Spent:
    """What the calls cost, of which attempts of parts may be another proposal's, too."""
    portions = {**spent(first), **spent_on_failures(later)}
    rest = float(spend.cost) - sum(portions.values())
    return {**portions, portion(*use, "rest"): max(rest, 0.0)}
