"""Refuse budgets with which a task never starts: too small for a call, or too large to lend."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from math import ceil
from operator import attrgetter
from typing import NamedTuple

from django.conf import settings

from common.refusal import Refusal
from gateway.queries.least_call import least_tokens
from keys import services as keys
from keys.books.queries.lendable import never_lendable
from keys.books.queries.previews import Preview, previews
from keys.models import ApiKey
from keys.supply.model_facts import ModelFacts
from keys.supply.queries.upstreams import served_models
from orchestration import planning, prompts, runners
from orchestration.models import SubTask, Task
from orchestration.planning import Part
from orchestration.refusals import BudgetTooLarge, BudgetTooSmall
from orchestration.runners.wire_formats import WIRES, Wire
from orchestration.services.task_request import TaskRequest

# Keys are looked up once for all parts with the same request, and for at most so many requests.
ALLOCATION_REQUESTS_MAX = 50
# So many parts are looked at, those with the least tokens beyond their own words.
_LOOKED_AT_MAX = 20
_ROUNDS_MAX = 8
_MODEL = "model"

Previews = Mapping[keys.AllocationRequest, Preview]


def allocation_requests(
    request: TaskRequest, parts: list[Part], shares: list[int], *, agent: str
) -> list[keys.AllocationRequest]:
    """The allocation request of each part."""
    names = {part.runner or request.runner for part in parts}
    terms = {name: runners.terms(name, agent=agent) for name in names}
    ttl = settings.ALLOCATION_TTL_SECONDS
    return [
        keys.AllocationRequest(
            tokens=share,
            provider=part.provider or request.provider or None,
            model=part.model or request.model or None,
            cost_centre=request.cost_centre or None,
            ttl_seconds=ttl,
            wire_format=terms[part.runner or request.runner].wire_format,
        )
        for part, share in zip(parts, shares, strict=True)
    ]


def looked_up(wanted: list[keys.AllocationRequest]) -> list[keys.AllocationRequest]:
    """Those of the requests that are looked up. Of those that differ only in tokens, the largest
    and the smallest come first: they are refused before the others."""
    alike: dict[keys.AllocationRequest, list[keys.AllocationRequest]] = {}
    for each in sorted(dict.fromkeys(wanted), key=attrgetter("tokens")):
        alike.setdefault(replace(each, tokens=1), []).append(each)
    first = [edge for some in alike.values() for edge in (some[-1], some[0])]
    return list(dict.fromkeys([*first, *wanted]))[:ALLOCATION_REQUESTS_MAX]


def check_affordable(
    request: TaskRequest, parts: list[Part], shares: list[int], *, agent: str, now: datetime
) -> None:
    """As `check_with`, with the previews of the parts. Refusals: BudgetTooLarge, BudgetTooSmall."""
    wanted = allocation_requests(request, parts, shares, agent=agent)
    try:
        found = previews(agent=agent, requests=looked_up(wanted), now=now)
    except Refusal:
        # Of the agent or its cost centre: `submit` says so, and a freeze ends.
        return
    check_with(found, wanted, request, parts, shares, now=now)


def check_with(
    found: Previews,
    wanted: list[keys.AllocationRequest],
    request: TaskRequest,
    parts: list[Part],
    shares: list[int],
    *,
    now: datetime,
) -> str:
    """Refuse a budget of which a share can never be lent, or cannot pay for the call of a part that
    depends on no other. Refusals: BudgetTooLarge, BudgetTooSmall.

    Returns a warning about a part that depends on others and needs more than its share, which it
    may get of what they leave; or an empty string.
    """
    _check_lendable(found, wanted, request, parts, now=now)
    calls = _calls(request, parts, [found.get(each) for each in wanted])
    first = _tightest(
        {n: each for n, each in calls.items() if not parts[n].depends_on}, parts, shares
    )
    if all(_need(request, parts, shares, n, call) <= shares[n] for n, call in first.items()):
        return _warning(request, parts, shares, _tightest(calls, parts, shares))
    least = _least_budget(request, parts, shares, first)
    raise BudgetTooSmall(
        f"With a budget of {request.total_budget:,} tokens, a sub-task could not pay for its call. "
        f"At least {least:,} tokens are needed.",
        needed=least,
        budget=request.total_budget,
    )


def _tightest(
    calls: dict[int, "_CallTerms"], parts: list[Part], shares: list[int]
) -> dict[int, "_CallTerms"]:
    """Those with the fewest tokens beside their own words."""
    by_room = sorted(calls, key=lambda n: shares[n] - len(parts[n].description))
    return {number: calls[number] for number in by_room[:_LOOKED_AT_MAX]}


def _warning(
    request: TaskRequest, parts: list[Part], shares: list[int], tight: dict[int, "_CallTerms"]
) -> str:
    for number, call in tight.items():
        if (need := _need(request, parts, shares, number, call)) > shares[number]:
            return (
                f"The prompt of the sub-task {parts[number].key} alone may need {need:,} tokens; "
                f"its share is {shares[number]:,}. It needs what others leave of theirs."
            )
    return ""


def _check_lendable(
    found: Previews,
    wanted: list[keys.AllocationRequest],
    request: TaskRequest,
    parts: list[Part],
    *,
    now: datetime,
) -> None:
    reasons = {
        asked: never_lendable(asked, preview.refusal, now=now) for asked, preview in found.items()
    }
    for part, asked in zip(parts, wanted, strict=True):
        if never := reasons.get(asked):
            raise BudgetTooLarge(
                f"The sub-task {part.key} would be lent {asked.tokens:,} tokens at once, and "
                f"{never.limit}, so it could never start. Use a smaller budget or more sub-tasks.",
                sub_task=part.key,
                needed=asked.tokens,
                most=never.most,
                budget=request.total_budget,
            )


class _CallTerms(NamedTuple):
    """What decides about the tokens of a call besides its prompt."""

    model: str
    provider: str
    wire: Wire
    facts: ModelFacts


def _calls(
    request: TaskRequest, parts: list[Part], found: list[Preview | None]
) -> dict[int, _CallTerms]:
    """The calls of the parts by their numbers; two queries for each key.

    Only those that one call carries out, on a key that is known.
    """
    terms = cache(_terms_of)
    return {
        number: terms(preview.key_id, preview.model)
        for number, (part, preview) in enumerate(zip(parts, found, strict=True))
        if (part.runner or request.runner) == _MODEL
        and preview is not None
        and preview.refusal is None
    }


def _terms_of(key_id: str, model: str) -> _CallTerms:
    key = ApiKey.objects.select_related("provider").get(pk=key_id)
    served = (each for each in served_models(key_id) if each.name == model)
    facts = next((each.facts for each in served), ModelFacts())
    wire = WIRES["openai" if key.speaks("openai") else "anthropic"]
    return _CallTerms(model, key.provider_id, wire, facts)


def _need(
    request: TaskRequest, parts: list[Part], shares: list[int], number: int, call: _CallTerms
) -> int:
    """The fewest tokens with which the call of a part is let in; 0 if that is not known."""
    part = parts[number]
    position = 0 if part.key == planning.PLANNING_KEY else number + 1
    sub_task = SubTask(task=Task(name=request.name), position=position, share=shares[number])
    text = prompts.prompt(
        sub_task, description=part.description, task_description=request.description, results=()
    )
    fields = call.wire.request_body(text, model=call.model)
    need = least_tokens(fields, path=call.wire.path, provider=call.provider, facts=call.facts)
    return need or 0


def _least_budget(
    request: TaskRequest, parts: list[Part], shares: list[int], tight: dict[int, _CallTerms]
) -> int:
    """The least budget with which each of these parts can pay for its call, in hundreds."""
    budget = request.total_budget
    # With the share grows what the prompt has of the whole task.
    for _ in range(_ROUNDS_MAX):
        factor = max(
            _need(request, parts, shares, n, call) / shares[n] for n, call in tight.items()
        )
        if factor <= 1:
            break
        budget = ceil(budget * factor / 100) * 100
        shares = _shares(request, parts, budget)
    return budget


def _shares(request: TaskRequest, parts: list[Part], budget: int) -> list[int]:
    if parts[0].key == planning.PLANNING_KEY:
        return [planning_share(budget)]
    reserve = budget * request.reserve_percent // 100
    return planning.split(parts, total=budget, reserve=reserve)


# What a planning model may use of the budget.
PLANNING_PERCENT = 20
_PLANNING_TOKENS_MAX = 50_000


def planning_share(budget: int) -> int:
    """The share of the planning step, in tokens."""
    return min(budget * PLANNING_PERCENT // 100, _PLANNING_TOKENS_MAX)
