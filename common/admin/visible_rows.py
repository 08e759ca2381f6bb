"""The rows of a model that a person may see: each list, page, choice and count of pages asks here.

An app that knows people registers the rule when Django starts.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

Rule = Callable[[Any, QuerySet[Any]], QuerySet[Any]]
Row = TypeVar("Row", bound=Model)

PartRule = Callable[[str, QuerySet[Any]], QuerySet[Any]]

_rules: list[tuple[Rule, PartRule]] = []


def register(rule: Rule, part_rule: PartRule) -> None:
    """Set the rules: of a user and a queryset, the first returns the rows that the user may see;
    of a cost centre and a queryset, the second returns the rows of that part of the tree."""
    _rules[:] = [(rule, part_rule)]


def visible_to(user: Any, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` that `user` may see; a ValueError if no rule is registered."""
    ((rule, _),) = _rules
    return rule(user, rows)


def within(cost_centre: str, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` that are of this cost centre or of one below it."""
    ((_, part_rule),) = _rules
    return part_rule(cost_centre, rows)
