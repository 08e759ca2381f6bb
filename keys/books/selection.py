"""The choice of an API key for an allocation, with a reason for each candidate. No database.

Candidates are the active keys (that serve the requested models, if any are) with more than
`free_min` tokens free: those of the preferred provider, or all of them if it has none. Of those
with room for the tokens, the best is the one with the highest priority, then most capacity, then
lowest cost, then first slug. Where no key has so much free, those with small limits are candidates
with more than a tenth of what their limits allow: otherwise they would never be lent.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from heapq import nsmallest
from operator import attrgetter
from typing import Any, NamedTuple

from common.formatting import group_digits

ACTIVE = "active"
ALTERNATIVES_MAX = 5

# More tokens than any window can have.
_UNLIMITED = 1 << 100

# The text of each code; `{detail}` is the deciding value.
WORDS = {
    "chosen": "chosen as the best key with enough room",
    "lower_priority": "has a lower priority than the chosen key: {detail}",
    "less_capacity": "has the same priority as the chosen key, but less free: {detail} tokens",
    "higher_cost": "costs more than the otherwise equal chosen key: {detail} USD per 1,000 tokens",
    "later_slug": "equals the chosen key in every way; the first name wins",
    "not_active": "is {detail}",
    "other_model": "does not serve the requested models; its own is {detail}",
    "other_wire_format": "has a provider with another wire format: {detail}",
    "provider_not_allowed": "belongs to a provider that an allow-list excludes: {detail}",
    "model_not_allowed": "serves no model that every allow-list has",
    "too_little_free": "has only {detail} tokens free, too few to be considered",
    "other_provider": "belongs to another provider: {detail}",
    "not_enough_capacity": "has too few tokens free for the request: {detail}",
}

Verdict = tuple[str, str, str]


class Candidate(NamedTuple):
    """An API key with the values that decide. A tuple, since there may be ten thousand of them.

    `capacity`: tokens free in the tightest of its windows, those in USD counted as the tokens they
    buy; None is unlimited. `size`: the same if nothing were used. `cost`: USD per 1,000 tokens.
    `wire_format`: that of its provider; blank is any. `serves`: whether it serves the requested
    models; `cost`, `price_id` and what USD limits allow are then those of the dearest. `excluded`:
    the code of WORDS by which an allow-list excludes it; blank: none does. The choice ignores
    `price_id` and `payable`, the tokens on this key that the USD limits of the payers can pay for.
    """

    slug: str
    provider: str
    model: str
    status: str
    priority: int
    capacity: int | None
    cost: Decimal
    price_id: int = 0
    payable: int | None = None
    wire_format: str = ""
    serves: bool = True
    excluded: str = ""
    size: int | None = None

    def has_more_than(self, tokens: int) -> bool:
        """Whether more tokens than these are free on the key."""
        return self.capacity is None or self.capacity > tokens


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen key and the reasons.

    `ranking`: the keys that could take the allocation, best first. `verdicts`: `(slug, code,
    detail)` of every key, the ranking first, then the others by slug; `code` is one of WORDS.
    `provider_expanded`: the preferred provider had no candidate, so all were considered.
    `alternatives`: if no key was chosen, the active keys with the most capacity.
    """

    chosen: Candidate | None
    ranking: list[Candidate]
    verdicts: list[Verdict]
    provider_expanded: bool
    alternatives: list[Candidate]

    @property
    def best(self) -> Candidate:
        """The chosen key. Raises IndexError if no key was chosen."""
        return self.ranking[0]


def choose(
    candidates: Iterable[Candidate],
    *,
    tokens: int,
    provider: str | None = None,
    wire_format: str | None = None,
    free_min: int = 10_000,
) -> Decision:
    """Choose the key that should take `tokens`; if there is none, `chosen` is None.

    Slugs are unique. The order of `candidates` does not matter.
    """
    known = list(candidates)
    able, lost = _split_candidates(
        known, wire_formats=("", wire_format or ""), least=lambda _: free_min
    )
    if not able:
        able, lost = _split_candidates(
            known, wire_formats=("", wire_format or ""), least=partial(least_free, free_min)
        )
    provider_expanded = False
    if provider is not None:
        preferred = [c for c in able if c.provider == provider]
        if preferred:
            lost += [(c.slug, "other_provider", c.provider) for c in able if c.provider != provider]
            able = preferred
        provider_expanded = not preferred
    ranking, short = _with_room(able, tokens)
    return Decision(
        chosen=ranking[0] if ranking else None,
        ranking=ranking,
        verdicts=_verdicts(ranking) + sorted(lost + short),
        provider_expanded=provider_expanded,
        alternatives=[] if ranking else _largest(known),
    )


def to_json(decision: Decision) -> dict[str, Any]:
    """The decision as compact plain values, for a jsonb column."""
    return {
        "chosen": decision.chosen.slug if decision.chosen else None,
        "capacity": decision.chosen.capacity if decision.chosen else None,
        "provider_expanded": decision.provider_expanded,
        "verdicts": decision.verdicts,
        "alternatives": [[c.slug, c.provider, c.capacity] for c in decision.alternatives],
    }


def _reason(code: str, detail: str) -> str:
    number = detail.isascii() and detail.isdigit()
    return WORDS[code].format(detail=group_digits(int(detail)) if number else detail)


def from_json(stored: dict[str, Any]) -> dict[str, Any]:
    """The stored decision with named fields, and each verdict as a text."""
    return {
        "chosen": stored["chosen"],
        "capacity": stored.get("capacity"),
        "provider_expanded": stored["provider_expanded"],
        "candidates": [
            {"key_id": slug, "verdict": code, "reason": _reason(code, detail)}
            for slug, code, detail in stored["verdicts"]
        ],
        "alternatives": [
            {"key_id": slug, "provider": provider, "capacity": capacity}
            for slug, provider, capacity in stored["alternatives"]
        ],
    }


def _split_candidates(
    known: list[Candidate],
    *,
    wire_formats: tuple[str, str],
    least: Callable[[Candidate], int],
) -> tuple[list[Candidate], list[Verdict]]:
    """Split the keys into candidates and verdicts on the others."""
    any_format = not any(wire_formats)
    able: list[Candidate] = []
    lost: list[Verdict] = []
    for c in known:
        if c.status != ACTIVE:
            lost.append((c.slug, "not_active", c.status))
        elif not c.serves:
            lost.append((c.slug, "other_model", c.model))
        elif c.excluded:
            lost.append((c.slug, c.excluded, c.provider))
        elif not any_format and c.wire_format not in wire_formats:
            lost.append((c.slug, "other_wire_format", c.wire_format))
        elif not c.has_more_than(least(c)):
            lost.append((c.slug, "too_little_free", str(c.capacity)))
        else:
            able.append(c)
    return able, lost


def least_free(free_min: int, candidate: Candidate) -> int:
    """A tenth of what the limits of the key allow in all, if that is less than `free_min`."""
    return free_min if candidate.size is None else min(free_min, candidate.size // 10)


def _capacity(candidate: Candidate) -> int:
    return _UNLIMITED if candidate.capacity is None else candidate.capacity


def _with_room(able: list[Candidate], tokens: int) -> tuple[list[Candidate], list[Verdict]]:
    """Return those with room, best first, and verdicts on the others."""
    fitting: list[Candidate] = []
    short: list[Verdict] = []
    for c in able:
        if c.capacity is None or c.capacity >= tokens:
            fitting.append(c)
        else:
            short.append((c.slug, "not_enough_capacity", str(c.capacity)))
    # Sorts are stable, so the last decides first; each compares plain values, which is twice as
    # quick for a fleet of 10,000 as one sort by tuples.
    fitting.sort(key=attrgetter("slug"))
    fitting.sort(key=attrgetter("cost"))
    fitting.sort(key=_capacity, reverse=True)
    fitting.sort(key=attrgetter("priority"), reverse=True)
    return fitting, short


def _verdicts(ranking: list[Candidate]) -> list[Verdict]:
    """A verdict on each key of the ranking: how the first one beats it."""
    if not ranking:
        return []
    best = ranking[0]
    return [(best.slug, "chosen", ""), *[_verdict_against(best, c) for c in ranking[1:]]]


def _verdict_against(best: Candidate, candidate: Candidate) -> Verdict:
    if candidate.priority != best.priority:
        return candidate.slug, "lower_priority", str(candidate.priority)
    if candidate.capacity != best.capacity:
        return candidate.slug, "less_capacity", str(candidate.capacity)
    if candidate.cost != best.cost:
        return candidate.slug, "higher_cost", format(candidate.cost, "f")
    return candidate.slug, "later_slug", ""


def _largest(known: list[Candidate]) -> list[Candidate]:
    active = (c for c in known if c.status == ACTIVE and _capacity(c) > 0)
    return nsmallest(ALTERNATIVES_MAX, active, key=lambda c: (-_capacity(c), c.slug))
