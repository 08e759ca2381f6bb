"""Whom a move in the tree of cost centres shows more rows, and whom fewer."""

from collections.abc import Collection
from typing import NamedTuple

from gate.models import CentreBinding


class AudienceChange(NamedTuple):
    """The names of the people that a move takes rows from, and of those that it shows them to."""

    lose: list[str]
    gain: list[str]


def audience_change(*, before: Collection[str], after: Collection[str]) -> AudienceChange:
    """What a move from below the cost centres `before` to below `after` changes; one query.

    It changes nothing for people who are bound to no cost centre, for superusers, or for those
    bound to what moves or below it.
    """
    bindings = CentreBinding.objects.filter(
        cost_centre__in={*before, *after}, person__is_active=True, person__is_superuser=False
    )
    seen: dict[str, set[str]] = {}
    for name, centre in bindings.values_list("person__username", "cost_centre"):
        seen.setdefault(name, set()).add(centre)
    old, new = set(before), set(after)
    return AudienceChange(
        lose=sorted(name for name, bound in seen.items() if bound & old and not bound & new),
        gain=sorted(name for name, bound in seen.items() if bound & new and not bound & old),
    )
