"""The chart of the spend explorer: the largest groups over time, and all others as one."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from dashboard import charts, figures
from dashboard.charts import Chart, Line, Series
from dashboard.colours import colours_of
from dashboard.note_marks import with_notes
from dashboard.spend.breakdown import Breakdown, cost_per_call, largest, measure
from dashboard.spend.dimensions import DIMENSIONS
from dashboard.spend.query import METRICS, SpendQuery
from dashboard.spend.spans import Span, spans_of, step_of
from dashboard.spend_series import SERIES_MAX
from dashboard.tables import Kind
from keys.books.queries.spend import Spend, spend_columns
from reports.models import DateNote

_KINDS: dict[str, Kind] = {
    "cost": "money",
    "tokens": "tokens",
    "calls": "count",
    "cost_per_call": "money",
}


def spend_chart(parts: Breakdown, *, notes: Sequence[DateNote], now: datetime) -> Chart:
    """The figure of the view over its days, stacked by group; two queries.

    The costs per call of groups do not add up, so they are drawn as lines.
    """
    view, spans = parts.view, _noted(spans_of(parts.view, now=now), parts.view, notes)
    draw = _lines if view.metric == "cost_per_call" else _columns
    return draw(parts, largest(parts.now, {}, view.metric), spans)


def _noted(spans: Sequence[Span], view: SpendQuery, notes: Sequence[DateNote]) -> list[Span]:
    """The spans with the notes on their days; the hours of one day have none of their own."""
    if step_of(view.days) == "hour":
        return list(spans)
    starts = [span.starts for span in spans]
    periods = with_notes([span.period for span in spans], starts, notes)
    return [Span(*each) for each in zip(starts, periods, strict=True)]


def _lines(parts: Breakdown, groups: Sequence[str], spans: Sequence[Span]) -> Chart:
    view, drawn = parts.view, groups[:SERIES_MAX]
    slots = colours_of(view.by, drawn)
    values = _over_time(view, drawn, spans)
    return charts.line(
        name="spend-chart",
        title=_title(parts),
        periods=[span.period for span in spans],
        lines=[
            Line(
                view.title_of(view.by, group),
                [cost_per_call(spend) for spend in values[group]],
                slots[group],
                url=_url(view, group),
            )
            for group in drawn
        ],
        kind=_KINDS[view.metric],
    )


def _columns(parts: Breakdown, groups: Sequence[str], spans: Sequence[Span]) -> Chart:
    view, drawn = parts.view, groups[:SERIES_MAX]
    slots = colours_of(view.by, drawn)
    values = _over_time(view, drawn, spans)
    series = [
        Series(
            view.title_of(view.by, group),
            _figures(values[group], view),
            slots[group],
            _url(view, group),
        )
        for group in drawn
    ]
    if groups[SERIES_MAX:]:
        series.append(Series("Other", _figures(values[None], view)))
    return charts.bars(
        name="spend-chart",
        title=_title(parts),
        periods=[span.period for span in spans],
        series=series,
        kind=_KINDS[view.metric],
    )


def _figures(spends: Sequence[Spend], view: SpendQuery) -> list[Decimal | int]:
    return [getattr(spend, view.metric) for spend in spends]


def _over_time(
    view: SpendQuery, shown: Sequence[str], spans: Sequence[Span]
) -> dict[str | None, list[Spend]]:
    """Calls, tokens and cost of each of the groups `shown` in each of the spans, and of all others
    as None; one query."""
    found: dict[str | None, list[Spend]] = defaultdict(lambda: [Spend()] * len(spans))
    starts = [span.starts for span in spans]
    for each in spend_columns(
        view.which,
        step=step_of(view.days),
        zone=view.days.zone,
        by=DIMENSIONS[view.by].by,
        shown=shown,
        within_centre=view.level,
    ):
        # Where a change of the clock is not by whole hours, an hour starts within another.
        index = max(bisect_right(starts, each.starts) - 1, 0)
        found[each.group][index] += Spend(calls=each.calls, tokens=each.tokens, cost=each.cost)
    return found


def _title(parts: Breakdown) -> str:
    """What the chart shows and adds up to: `Cost by agent, 1–26 Nov 2026: $4,812.30`."""
    view, total = parts.view, measure(parts.total, parts.view.metric)
    text = figures.figure(total, kind=_KINDS[view.metric], zone=view.days.zone).text
    title = DIMENSIONS[view.by].title
    return f"{METRICS[view.metric]} by {title.lower()}, {view.days.label}: {text}"


def _url(view: SpendQuery, group: str) -> str:
    return replace(view, filters=view.with_group(view.by, group)).url
