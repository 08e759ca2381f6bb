"""The tables of versions, of groups, and of forecasts beside what came of them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from prediction.models import ForecastModel, SettledWork
from prediction.queries.calibration import forecasted, outcomes
from prediction.queries.coverage import NEWEST, settled_forecasts

_VERSIONS = 100
_GROUPS = 200
_WORK = 200
_VERSION_COLUMNS = (
    Column("version", "Version", "count"),
    Column("state", "State"),
    Column("trained", "Learned", "moment"),
    Column("rows", "Rows", "count"),
    Column("censored", "Cut off", "count"),
    Column("texts", "Texts", "count"),
    Column("since", "From", "moment"),
    Column("until", "Until", "moment"),
    Column("pinball_p50", "Loss at P50", "percent"),
    Column("pinball_p90", "Loss at P90", "percent"),
    Column("coverage_p90", "Within P90", "percent"),
    Column("mdape", "Median error", "percent"),
)
_GROUP_COLUMNS = (
    Column("model", "Model"),
    Column("agent", "Agent"),
    Column("kind", "Kind of work"),
    Column("rows", "Settled", "count"),
    Column("within_p50", "Within P50", "percent"),
    Column("within_p90", "Within P90", "percent"),
    Column("error", "Median error", "percent"),
    Column("censored", "Cut off", "percent"),
)
_WORK_COLUMNS = (
    Column("session", "Session", "link"),
    Column("settled", "Ended", "moment"),
    Column("agent", "Agent"),
    Column("kind", "Kind of work"),
    Column("model", "Model"),
    Column("p50", "P50", "tokens"),
    Column("p90", "P90", "tokens"),
    Column("tokens", "Needed", "tokens"),
    Column("words", "In words", sortable=False),
)


def versions_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The versions, the newest first. Losses are relative to a constant forecast, on work that was
    not learned from: under 100 % is better."""
    found = visible_to(user, ForecastModel.objects.all())[:_VERSIONS]
    return tables.paged(
        Table(
            name="forecast-versions",
            title="Versions of the forecasts",
            columns=_VERSION_COLUMNS,
            rows=[_version(each) for each in found],
            sort="-version",
            prefix="versions-",
            empty="Nothing was learned yet: that needs 30 pieces of work that have ended.",
        ),
        query,
    )


def _version(each: ForecastModel) -> Row:
    names = ("pinball_p50", "pinball_p90", "coverage_p90", "mdape")
    return {
        "version": each.pk,
        "state": "in use" if each.in_use else each.status,
        "trained": each.trained_at,
        "rows": each.rows,
        "censored": each.censored,
        "texts": each.texts,
        "since": each.rows_from,
        "until": each.rows_until,
        **{name: _percent(each.scores.get(name)) for name in names},
    }


def groups_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """How the newest forecasts of each model, agent and kind of work did."""
    found = forecasted(visible_to(user, settled_forecasts())[:NEWEST])
    rows: list[Row] = [
        {
            "model": model,
            "agent": agent,
            "kind": kind,
            "rows": each.rows,
            "within_p50": _percent(each.within_p50),
            "within_p90": _percent(each.within_p90),
            "error": _percent(each.error),
            "censored": _percent(each.censored),
        }
        for (model, agent, kind), each in list(outcomes(found).items())[:_GROUPS]
    ]
    return tables.paged(
        Table(
            name="forecast-groups",
            title="What forecasts promised and what came",
            columns=_GROUP_COLUMNS,
            rows=rows,
            sort="-rows",
            prefix="groups-",
            empty="No work that was forecast has ended yet.",
        ),
        query,
    )


def work_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The newest forecasts beside what came of them."""
    rows = visible_to(user, settled_forecasts().select_related("allocation"))[:_WORK]
    return tables.paged(
        Table(
            name="forecast-work",
            title="Forecast and actual",
            columns=_WORK_COLUMNS,
            rows=[_work(each) for each in rows],
            sort="-settled",
            prefix="work-",
            empty="No work that was forecast has ended yet.",
        ),
        query,
    )


def _work(each: SettledWork) -> Row:
    session = each.allocation.session_id
    return {
        "session": Cell(session, links.url("allocation", each.pk), picture=session[:13]),
        "settled": each.settled_at,
        "agent": each.agent,
        "kind": each.kind,
        "model": each.model,
        "p50": each.p50,
        "p90": each.p90,
        "tokens": each.tokens,
        "words": in_words(each),
    }


def in_words(each: SettledWork) -> str:
    """What came of a forecast, in a sentence."""
    p50, p90, calls = each.p50 or 1, each.p90 or 1, max(each.calls, 1)
    if each.censored and each.tokens <= p90:
        return f"Cut off after {each.calls:,} calls, so nobody knows what it would have needed."
    used = f"{each.calls:,} calls of {each.tokens // calls:,} tokens on average"
    if each.tokens <= p50:
        return f"Half of such work needs as much as this or more: {used}."
    if each.tokens <= p90:
        return f"More than half of such work, within P90: {used}."
    return f"Above P90 by {100 * (each.tokens - p90) // p90:,} %, as 10 of 100 are: {used}."


def _percent(share: float | None) -> Decimal | None:
    return None if share is None else round(100 * Decimal(share), 1)
