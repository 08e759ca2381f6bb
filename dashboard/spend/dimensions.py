"""By what spend is grouped and filtered on pages."""

from typing import Any, NamedTuple

from common import links
from keys.books.queries.spend import SpendFilter


class Dimension(NamedTuple):
    """A way to group spend: its words, its filter, and the dimension that its rows lead to."""

    title: str
    nothing: str
    filtered: str
    by: str
    next: str


# Under the name of the query parameter that filters by it.
DIMENSIONS = {
    "cost_centre": Dimension("Cost centre", "", "cost_centres", "centre_at", "agent"),
    "agent": Dimension("Agent", "", "agents", "agent", "label"),
    "label": Dimension("Task or label", "No label", "labels", "label", "model"),
    "model": Dimension("Model", "", "models", "model", "key"),
    "key": Dimension("API key", "", "key_ids", "key", "label"),
    "provider": Dimension("Provider", "", "providers", "provider", "key"),
}
# What one cost centre paid itself, without those below it.
DIRECTLY = "directly"
# The field of `SpendFilter` for each query parameter that filters.
FILTERS = {
    **{name: dimension.filtered for name, dimension in DIMENSIONS.items()},
    DIRECTLY: "paying_centres",
}
Filters = dict[str, tuple[str, ...]]


def narrowed(which: SpendFilter, filters: Filters) -> SpendFilter:
    """`which` with the filters of a page, by the names of their query parameters."""
    changes: dict[str, Any] = {FILTERS[name]: values for name, values in filters.items()}
    return which._replace(**changes)


def value_title(name: str, value: str) -> str:
    """A value of the filter `name` in words, as a row and a chip show it."""
    if name == DIRECTLY:
        return f"{value} directly"
    return value or DIMENSIONS[name].nothing


def task_url(label: str) -> str:
    """The page of the task that the label names; blank if it names none."""
    kind, _, number = label.partition(":")
    return links.url("task", number) if kind == "task" and number.isdecimal() else ""
