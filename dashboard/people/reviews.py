"""Reviews of access: their tables, and how they are started and decided."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Count, Q

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, ActForm, Outcome
from dashboard.tables import Cell, Column, Row, Table
from gate import services
from gate.models import AccessReview, AccessReviewLine
from keys.identity.queries.organisation import organisation
from security.actor import Actor

MANAGE = "gate.manage_people"
VIEW = "auth.view_user"
_OPEN = AccessReviewLine.Decision.OPEN
_DECIDED = [each for each in AccessReviewLine.Decision.choices if each[0] != _OPEN]
_REVIEWS = (
    Column("title", "Review", "link"),
    Column("status", "Status", "status"),
    Column("started", "Started", "moment"),
    Column("due", "Due", "moment"),
    Column("decided", "Decided", "count", total=True),
    Column("lines", "Lines", "count", total=True),
    Column("completed", "Completed", "moment"),
    Column("by", "Started by"),
)
_LINES = (
    Column("person", "Person", "link"),
    Column("role", "Role"),
    Column("centres", "Cost centres"),
    Column("decision", "Decision", "status"),
    Column("decide", "Decide", "link", sortable=False),
    Column("last_sign_in", "Last sign-in", "moment"),
    Column("last_decision", "Last decision", "moment"),
    Column("factors", "Second factors"),
    Column("by", "By"),
    Column("at", "When", "moment"),
    Column("reason", "Why"),
)


def reviews_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """All reviews of access, the latest first; one query."""
    rows = visible_to(user, AccessReview.objects.all()).annotate(
        line_count=Count("lines"), open_count=Count("lines", filter=Q(lines__decision=_OPEN))
    )
    found = [_review(each, now) for each in rows]
    table = Table(
        name="access-reviews",
        title="Reviews of access",
        columns=_REVIEWS,
        rows=found,
        totals={name: sum(row[name] for row in found) for name in ("decided", "lines")},
        sort="-started",
        empty="No review was started yet.",
    )
    return tables.paged(table, query)


def status_of(review: AccessReview, now: datetime) -> str:
    """`open`, `overdue` or `completed`."""
    if review.completed_at:
        return "completed"
    return "overdue" if review.due_at <= now else "open"


def _review(review: Any, now: datetime) -> Row:
    return {
        "title": Cell(review.title, links.url("access_review", review.pk)),
        "status": status_of(review, now),
        "started": review.started_at,
        "due": review.due_at,
        "decided": review.line_count - review.open_count,
        "lines": review.line_count,
        "completed": review.completed_at,
        "by": review.started_by,
    }


def lines_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The lines of the review `pk`, all or only those that are open (`open=1`); one query."""
    pk = query.get("pk", "")
    lines = AccessReviewLine.objects.filter(review=int(pk) if pk.isdecimal() else 0)
    rows = visible_to(user, lines).select_related("person")
    if query.get("open"):
        rows = rows.filter(decision=_OPEN)
    may = user.has_perm(MANAGE)
    table = Table(
        name="access-review",
        title="Review of access",
        columns=_LINES,
        rows=[_line(each, may and each.person_id != user.pk) for each in rows],
        sort="person",
        file_columns=[column for column in _LINES if column.name != "decide"],
        empty="No line is open.",
    )
    return tables.paged(table, query)


def _line(line: AccessReviewLine, may_decide: bool) -> Row:
    decide = may_decide and line.decision == _OPEN
    return {
        "person": Cell(line.person.username, links.url("user", line.person_id)),
        "role": line.role,
        "centres": ", ".join(line.cost_centres) or "all",
        "decision": line.decision,
        "decide": Cell("Decide", f"?act=decide-{line.pk}") if decide else "",
        "last_sign_in": line.last_sign_in,
        "last_decision": line.last_decision,
        "factors": line.factors or "none",
        "by": line.decided_by,
        "at": line.decided_at,
        "reason": line.reason,
    }


class StartForm(ActForm):
    """Asks for a name and the last day."""

    title = forms.CharField(max_length=100, help_text="Such as: fourth quarter.")
    due = forms.DateField(
        label="Due",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day for decisions, in the reporting zone.",
    )
    field_order = ("title", "due", "reason")


class DecideForm(ActForm):
    """Asks what becomes of the role."""

    decision = forms.ChoiceField(choices=_DECIDED, widget=forms.RadioSelect)
    field_order = ("decision", "reason")


def _start(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    zone = ZoneInfo(organisation().reporting_zone)
    try:
        due_at = datetime.combine(asked["due"] + timedelta(days=1), time(), zone)
    except OverflowError:
        due_at = datetime.combine(asked["due"], time(), zone)
    review = services.start_review(
        asked["title"], due_at=due_at, reason=asked["reason"], actor=actor, now=now
    )
    return f"The review {review.title} has {review.lines.count()} lines."


START = Act(
    name="start",
    button="Start a review",
    about="Butler lists each role of each person who can sign in. Others confirm or remove them.",
    permission=MANAGE,
    form=StartForm,
    perform=_start,
)


def decide_act(line: AccessReviewLine) -> Act:
    """The act that decides this line."""
    centres = ", ".join(line.cost_centres) or "all cost centres"

    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        decided = services.decide_line(
            line.pk, decision=asked["decision"], reason=asked["reason"], actor=actor, now=now
        )
        return f"{line.role} of {line.person.username} is {decided.decision}."

    return Act(
        name=f"decide-{line.pk}",
        button="Decide",
        about=f"{line.person.username} has {line.role} in {centres}. Removing takes it away now.",
        permission=MANAGE,
        form=DecideForm,
        perform=perform,
    )
