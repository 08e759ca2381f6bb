"""What the organisation says about models, in the form in which calls and allocations ask it."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from common.statements import fetch
from keys.identity.allow_lists import ALL_ALLOWED, AllowList, AllowLists
from keys.identity.queries.allow_lists import allow_lists
from keys.models import ModelAlias
from keys.patterns import is_pattern
from keys.supply.sql import SERVED_ANYWHERE

# What a request means that names no model.
DEFAULT_NAME = "any"


class ModelPolicies(NamedTuple):
    """`aliases`: pairs of a name or pattern and the model that it means, in their order.
    `allow_lists`: by scope, of the agents and cost centres that do not allow everything."""

    aliases: tuple[tuple[str, str], ...]
    allow_lists: dict[str, AllowList]

    def meaning(self, name: str) -> str | None:
        """The model that an alias gives the name; None if none does."""
        name = name.lower() or DEFAULT_NAME
        return next((model for alias, model in self.aliases if fnmatchcase(name, alias)), None)

    def allowed(self, payers: list[str]) -> AllowLists:
        """What all these payers allow together."""
        if not self.allow_lists:
            return ALL_ALLOWED
        found = (self.allow_lists.get(scope) for scope in payers)
        return AllowLists(tuple(filter(None, found)))


def model_policies() -> ModelPolicies:
    """The policies as the database has them now."""
    aliases = sorted(ModelAlias.objects.all(), key=_specific_first)
    return ModelPolicies(
        tuple((alias.name, alias.model) for alias in aliases),
        {each.scope: each for each in allow_lists()},
    )


def is_served(model: str) -> bool:
    """Whether any API key serves the model, with any status."""
    return bool(fetch(SERVED_ANYWHERE, models=[model.lower()]))


def _specific_first(alias: ModelAlias) -> tuple[int, bool, int, str]:
    return alias.position, is_pattern(alias.name), -len(alias.name), alias.name
