"""The allow-lists of those who pay for a session."""

from collections.abc import Iterable
from typing import NamedTuple

from common.statements import Statement, fetch
from keys.identity.allow_lists import AllowList, AllowLists


class AllowListRow(NamedTuple):
    """What an agent or a cost centre allows, if it does not allow everything."""

    scope: str
    models: list[str]
    providers: list[str]


# Of all agents and cost centres that restrict anything, or of the `payers`.
ALLOW_LISTS = Statement(
    """
    SELECT scope, models, providers
      FROM (SELECT 'agent:' || slug AS scope, allowed_models AS models,
                   allowed_providers AS providers
              FROM keys_agent
            UNION ALL
            SELECT 'centre:' || slug, allowed_models, allowed_providers FROM keys_costcentre) l
     WHERE (models <> '{}' OR providers <> '{}')
       AND (%(payers)s::text[] IS NULL OR scope = ANY(%(payers)s::text[]))
     ORDER BY scope
    """,
    AllowListRow,
)


def allow_lists(payers: list[str] | None = None) -> list[AllowList]:
    """The allow-lists of these scopes, or of all agents and cost centres."""
    return [allow_list(*row) for row in fetch(ALLOW_LISTS, payers=payers)]


def allow_lists_of(payers: list[str]) -> AllowLists:
    """What all these payers allow together."""
    return AllowLists(tuple(allow_lists(payers)))


def allow_list(scope: str, models: Iterable[str], providers: Iterable[str]) -> AllowList:
    """An allow-list as a value."""
    return AllowList(scope, tuple(models), tuple(providers))
