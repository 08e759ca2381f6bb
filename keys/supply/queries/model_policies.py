"""What the organisation says about calls, in the form in which calls and allocations ask it."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import NamedTuple

from common.statements import fetch
from keys.identity.allow_lists import ALL_ALLOWED, AllowList, AllowLists
from keys.identity.queries.allow_lists import allow_lists
from keys.models import CostCentre, ModelAlias, ModelFallback
from keys.patterns import is_pattern
from keys.supply.sql import SERVED_ANYWHERE

# What a request means that names no model.
DEFAULT_NAME = "any"


class Fallback(NamedTuple):
    """A `ModelFallback` as a value."""

    model: str
    budget_percent: int | None
    fallbacks: tuple[str, ...]


class ModelPolicies(NamedTuple):
    """`aliases`: pairs of a name or pattern and the model that it means, in their order.
    `allow_lists`: by scope, of the agents and cost centres that do not allow everything.
    `fallbacks`: names before patterns, long patterns before short ones, high percentages before low
    ones. `outbound_guards` and `learned_holds`: by scope, of the cost centres that do not inherit
    them."""

    aliases: tuple[tuple[str, str], ...]
    allow_lists: dict[str, AllowList]
    fallbacks: tuple[Fallback, ...] = ()
    outbound_guards: Mapping[str, str] = MappingProxyType({})
    learned_holds: Mapping[str, str] = MappingProxyType({})

    def meaning(self, name: str) -> str | None:
        """The model that an alias gives the name; None if none does."""
        name = name.lower() or DEFAULT_NAME
        return next((model for alias, model in self.aliases if fnmatchcase(name, alias)), None)

    def fallbacks_without_key(self, *names: str) -> tuple[str, ...]:
        """What serves a model with these names when no API key can take the call."""
        found = (each.fallbacks for each in self._of(names) if each.budget_percent is None)
        return next(found, ())

    def fallbacks_from_budget(self, *names: str, used_percent: float) -> tuple[str, ...]:
        """What serves a model with these names when that share of the session's tokens is used."""
        found = (
            each.fallbacks
            for each in self._of(names)
            if each.budget_percent is not None and each.budget_percent <= used_percent
        )
        return next(found, ())

    def _of(self, names: tuple[str, ...]) -> Iterator[Fallback]:
        lower = {name.lower() for name in names}
        for each in self.fallbacks:
            if any(fnmatchcase(name, each.model) for name in lower):
                yield each

    def allowed(self, payers: list[str]) -> AllowLists:
        """What all these payers allow together."""
        if not self.allow_lists:
            return ALL_ALLOWED
        found = (self.allow_lists.get(scope) for scope in payers)
        return AllowLists(tuple(filter(None, found)))

    def outbound_guard(self, payers: list[str]) -> str:
        """What happens to a call of these payers that has credentials: a `CostCentre.Guard`. The
        nearest cost centre decides, which is the last of them."""
        found = (self.outbound_guards.get(scope) for scope in reversed(payers))
        return next(filter(None, found), CostCentre.Guard.OFF)

    def learned_holds_of(self, payers: list[str]) -> str:
        """Which calls of these payers may hold less than their bound: a `CostCentre.LearnedHolds`
        of the nearest cost centre; empty if none says it."""
        if not self.learned_holds:
            return ""
        found = (self.learned_holds.get(scope) for scope in reversed(payers))
        return next(filter(None, found), "")


def model_policies() -> ModelPolicies:
    """The policies as the database has them now."""
    aliases = sorted(
        ModelAlias.objects.all(), key=lambda each: (each.position, _specific_first(each.name))
    )
    fallbacks = sorted(
        ModelFallback.objects.all(),
        key=lambda each: (_specific_first(each.model), -(each.budget_percent or 0)),
    )
    centres = CostCentre.objects.exclude(outbound_guard="", learned_holds="").values_list(
        "pk", "outbound_guard", "learned_holds"
    )
    settings = [(f"centre:{slug}", guard, holds) for slug, guard, holds in centres]
    return ModelPolicies(
        tuple((alias.name, alias.model) for alias in aliases),
        {each.scope: each for each in allow_lists()},
        tuple(Fallback(row.model, row.budget_percent, tuple(row.fallbacks)) for row in fallbacks),
        {scope: guard for scope, guard, _ in settings if guard},
        {scope: holds for scope, _, holds in settings if holds},
    )


def is_served(model: str) -> bool:
    """Whether any API key serves the model, with any status."""
    return bool(fetch(SERVED_ANYWHERE, models=[model.lower()]))


def _specific_first(name: str) -> tuple[bool, int, str]:
    return is_pattern(name), -len(name), name
