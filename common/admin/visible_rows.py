"""The rows of a model that a person may see: each list, page, choice and count of pages asks here.

An app that knows people registers the rule when Django starts.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

Rule = Callable[[Any, QuerySet[Any]], QuerySet[Any]]
Row = TypeVar("Row", bound=Model)

_rules: list[Rule] = []


def register(rule: Rule) -> None:
    """Set the rule: of a user and a queryset, it returns the rows that the user may see."""
    _rules[:] = [rule]


def visible_to(user: Any, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` that `user` may see; a ValueError if no rule is registered."""
    (rule,) = _rules
    return rule(user, rows)
