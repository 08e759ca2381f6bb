"""The tables of anomalies: the newest, and what is expected."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from prediction.models import Anomaly, ExpectedAnomaly

_NEWEST = 200
_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind", "link"),
    Column("began", "Since", "moment"),
    Column("ended", "Until", "moment"),
    Column("words", "What was seen", sortable=False),
)
_EXPECTED_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("reason", "Why it is expected", sortable=False),
    Column("by", "By"),
    Column("at", "Since", "moment"),
)


def anomalies_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The newest anomalies."""
    rows = visible_to(user, Anomaly.objects.all())[:_NEWEST]
    return tables.paged(
        Table(
            name="anomalies",
            title="Anomalies",
            columns=_COLUMNS,
            rows=[_anomaly(each) for each in rows],
            sort="-began",
            prefix="anomalies-",
            empty="Nothing unusual was seen.",
        ),
        query,
    )


def _anomaly(each: Anomaly) -> Row:
    return {
        "subject": _subject(each.subject),
        "kind": Cell(each.get_kind_display(), links.url("alert", each.alert_id)),
        "began": each.began_at,
        "ended": each.ended_at,
        "words": each.words,
    }


def expected_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What people expect."""
    rows = visible_to(user, ExpectedAnomaly.objects.all())[:_NEWEST]
    return tables.paged(
        Table(
            name="expected-anomalies",
            title="Expected anomalies",
            columns=_EXPECTED_COLUMNS,
            rows=[
                {
                    "subject": _subject(each.subject),
                    "kind": each.get_kind_display(),
                    "reason": each.reason,
                    "by": each.expected_by,
                    "at": each.expected_at,
                }
                for each in rows
            ],
            sort="subject",
            prefix="expected-",
            empty="Nothing is expected: each anomaly is told.",
        ),
        query,
    )


def _subject(subject: str) -> Cell:
    kind, _, slug = subject.partition(":")
    return Cell(slug, links.url("agent" if kind == "agent" else "key", slug))
