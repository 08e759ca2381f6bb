"""The choices above the chart of the spend explorer, each a link to another view."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import parse_qsl

from dashboard.spend.dimensions import DIMENSIONS, DIRECTLY, value_title
from dashboard.spend.query import METRICS, SpendQuery


class Choice(NamedTuple):
    """One of several views."""

    title: str
    url: str
    is_current: bool


class Chip(NamedTuple):
    """A filter in force, and the view without it."""

    name: str
    value: str
    url: str


class Controls(NamedTuple):
    """What the page offers: ways to group and to break the groups down, figures, `compare` (the
    view with or without the days before), and a form for another filter, which keeps the parameters
    of the view."""

    groups: list[Choice]
    subgroups: list[Choice]
    metrics: list[Choice]
    compare: str
    filters: list[tuple[str, str]]
    kept: list[tuple[str, str]]


def controls(view: SpendQuery) -> Controls:
    """The choices of a view."""
    titles = {name: dimension.title for name, dimension in DIMENSIONS.items()}
    return Controls(
        groups=_choices(titles, view.by, lambda name: view.grouped(name, view.subgroup)),
        subgroups=_choices(
            {"": "Nothing"} | {name: title for name, title in titles.items() if name != view.by},
            view.subgroup,
            lambda name: view.grouped(view.by, name),
        ),
        metrics=_choices(METRICS, view.metric, lambda name: replace(view, metric=name)),
        compare=replace(view, compares=not view.compares).url,
        filters=list(titles.items()),
        kept=[*parse_qsl(view.days.query), *view.parameters],
    )


def chips(view: SpendQuery, url_of: Callable[[SpendQuery], str]) -> list[Chip]:
    """The filters of a view; `url_of` is the page of the view without one."""
    return [
        Chip(
            DIMENSIONS["cost_centre" if name == DIRECTLY else name].title,
            value_title(name, value),
            url_of(replace(view, filters=view.without(name, value))),
        )
        for name, values in view.filters.items()
        for value in values
    ]


def _choices(
    titles: Mapping[str, str], current: str, view_of: Callable[[str], SpendQuery]
) -> list[Choice]:
    return [Choice(title, view_of(name).url, name == current) for name, title in titles.items()]
