"""What the query parameters of the spend explorer and of the list of charges ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict

from common import links
from dashboard.ranges import DateRange, date_range
from dashboard.spend.dimensions import DIMENSIONS, DIRECTLY, FILTERS, Filters, narrowed, value_title
from gate.queries import bindings
from keys.books.queries.spend import SpendFilter
from keys.models import CostCentre, Organisation

METRICS = {
    "cost": "Cost",
    "tokens": "Tokens",
    "calls": "Calls",
    "cost_per_call": "Cost per call",
}
_USUAL = {"by": "cost_centre", "metric": "cost"}
_VALUES_MAX = 50
_LENGTH_MAX = 200


@dataclass(frozen=True)
class SpendQuery:
    """A view of the spend explorer."""

    days: DateRange
    by: str = _USUAL["by"]
    # Blank: the groups are not broken down.
    subgroup: str = ""
    metric: str = _USUAL["metric"]
    compares: bool = True
    filters: Filters = field(default_factory=dict)
    bound_centres: tuple[str, ...] | None = None
    # The one cost centre that all others are below, if there is one.
    root: str | None = None
    message: str = ""

    @property
    def which(self) -> SpendFilter:
        """The spend that the view is of."""
        return self._of(self.days)

    @property
    def previous(self) -> SpendFilter:
        """The spend of as many days before."""
        return self._of(self.days.previous)

    @property
    def level(self) -> str | None:
        """The cost centre whose parts are the groups of cost centres; None: the roots."""
        chosen = self.filters.get("cost_centre") or self.bound_centres or ()
        return chosen[0] if len(chosen) == 1 else None if chosen else self.root

    def with_group(self, name: str, group: str) -> Filters:
        """The filters of this view and of one of its groups."""
        if name == "cost_centre" and group == self.level:
            kept = {each: values for each, values in self.filters.items() if each != name}
            return {**kept, DIRECTLY: (group,)}
        return {**self.filters, name: (group,)}

    def without(self, name: str, value: str) -> Filters:
        """The filters of this view without one of their values."""
        left = tuple(each for each in self.filters[name] if each != value)
        filters = {**self.filters, name: left}
        return {each: values for each, values in filters.items() if values}

    def title_of(self, name: str, group: str) -> str:
        """The name of a group, or of a subgroup, of the dimension `name` in words."""
        is_level = name == "cost_centre" and group == self.level
        return value_title(DIRECTLY if is_level else name, group)

    def grouped(self, by: str, subgroup: str = "") -> "SpendQuery":
        """This view by other groups; a subgroup that is the group itself is none."""
        return replace(self, by=by, subgroup="" if subgroup == by else subgroup)

    @property
    def url(self) -> str:
        """The page of this view; parameters that are as usual are left out."""
        return f"{links.url('spend')}?{self.days.query}{_more(self.parameters)}"

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query parameters of this view beside its days."""
        said = {
            "by": self.by,
            "subgroup": self.subgroup,
            "metric": self.metric,
            "compare": "" if self.compares else "off",
        }
        chosen = [each for each in said.items() if each[1] and each not in _USUAL.items()]
        return [*chosen, *self._filtered]

    @property
    def charges_url(self) -> str:
        """The charges that the figures of this view are made of."""
        return f"{links.url('charges')}?{self.days.query}{_more(self._filtered)}"

    def hour_url(self, since: datetime, until: datetime) -> str:
        """The charges of this view from `since` until `until`."""
        hour = {"since": since.isoformat(), "until": until.isoformat()}
        return f"{links.url('charges')}?{urlencode(hour)}{_more(self._filtered)}"

    @property
    def _filtered(self) -> list[tuple[str, str]]:
        return [(name, value) for name, values in self.filters.items() for value in values]

    def _of(self, days: DateRange) -> SpendFilter:
        which = SpendFilter(days.starts_at, days.ends_at, within=self.bound_centres)
        return narrowed(which, self.filters)


def spend_query(
    user: Any, query: Mapping[str, str], *, organisation: Organisation, now: datetime
) -> SpendQuery:
    """What the query parameters ask for; what cannot be read gives the default, and a message."""
    days = date_range(
        query,
        now=now,
        zone=ZoneInfo(organisation.reporting_zone),
        fiscal_year_starts=organisation.fiscal_year_starts,
    )
    by, subgroup = query.get("by", _USUAL["by"]), query.get("subgroup", "")
    metric, compare = query.get("metric", _USUAL["metric"]), query.get("compare", "previous")
    is_known = by in DIMENSIONS and subgroup in ("", *DIMENSIONS) and metric in METRICS
    unknown = "" if is_known else "The page has no such group or figure, so the usual one is shown."
    view = SpendQuery(
        days=days,
        metric=metric if metric in METRICS else _USUAL["metric"],
        compares=compare != "off",
        filters=_asked(query),
        bound_centres=tuple(bindings(user)) or None,
        root=_only_root(),
        message=days.message or unknown,
    )
    return view.grouped(
        by if by in DIMENSIONS else _USUAL["by"], subgroup if subgroup in DIMENSIONS else ""
    )


def _only_root() -> str | None:
    roots = CostCentre.objects.filter(parent=None).values_list("slug", flat=True)[:2]
    return roots[0] if len(roots) == 1 else None


def _filters(query: Mapping[str, str]) -> Filters:
    """The values of each filter that is asked for. A value that names nothing finds nothing."""
    found = {name: _values(query, name) for name in FILTERS if name in query}
    return {name: values for name, values in found.items() if values}


def _asked(query: Mapping[str, str]) -> Filters:
    """The filters in the address, and the one that the form of the page adds."""
    found = _filters(query)
    name, value = query.get("add", ""), query.get("value", "").strip()[:_LENGTH_MAX]
    if name in FILTERS and value:
        found[name] = tuple(dict.fromkeys([*found.get(name, ()), value]))
    return found


def _values(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    values = query.getlist(name) if isinstance(query, QueryDict) else [query[name]]
    may_be_blank = name == "label"
    clean = (each[:_LENGTH_MAX] for each in values[:_VALUES_MAX])
    return tuple(dict.fromkeys(each for each in clean if each or may_be_blank))


def _more(parameters: list[tuple[str, str]]) -> str:
    return f"&{urlencode(parameters)}" if parameters else ""
