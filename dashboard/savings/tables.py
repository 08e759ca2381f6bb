"""The tables of savings: those that are open, and those that were followed or dismissed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from orchestration.models import Experiment
from prediction.models import IDLE_MONEY, Saving, SavingKind
from prediction.queries.savings import savings_total

_SHOWN = 500
_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("amount", "30 days", "money", unit="USD", total=True),
    Column("low", "At least", "money", unit="USD"),
    Column("high", "At most", "money", unit="USD"),
    Column("words", "What was seen", sortable=False),
    Column("todo", "What to do", "link", sortable=False),
    Column("found", "Since", "moment"),
)
_IDLE_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("amount", "Lies there", "money", unit="USD"),
    Column("words", "What was seen", sortable=False),
    Column("todo", "What to do", "link", sortable=False),
    Column("found", "Since", "moment"),
)
_CLOSED_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("status", "Status", "status"),
    Column("amount", "30 days", "money", unit="USD"),
    Column("words", "What was seen", sortable=False),
    Column("by", "By"),
    Column("reason", "Why", sortable=False),
    Column("closed", "At", "moment"),
)
_EXPERIMENT_COLUMNS = (
    Column("subject", "Agent", "link"),
    Column("tried", "Model"),
    Column("asked", "Instead of"),
    Column("parts", "Of 100 parts", "count"),
    Column("status", "Status", "status"),
    Column("started", "Since", "moment"),
    Column("ends", "Until", "moment"),
    Column("outcome", "What came of it", sortable=False),
    Column("todo", "What to do", "link", sortable=False),
)
EMPTY = (
    "Nothing is sure to cost less. Each night Butler compares the API keys and models that did the "
    "same kind of work, once each has done it 30 times, and tells what is cheaper and as good."
)


class _Buttons(NamedTuple):
    """What the person may do."""

    prefer: bool
    experiment: bool

    @classmethod
    def of(cls, user: Any) -> "_Buttons":
        """Those of a person."""
        return cls(
            user.has_perm("keys.change_apikey"), user.has_perm("orchestration.change_experiment")
        )


def _open_rows(user: Any) -> QuerySet[Saving]:
    """The open savings that the person may see, the largest first."""
    return visible_to(user, Saving.objects.filter(status=Saving.Status.OPEN))


def savings_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What is open."""
    rows = list(_open_rows(user).exclude(kind__in=IDLE_MONEY)[:_SHOWN])
    buttons = _Buttons.of(user)
    running = Experiment.objects.filter(
        saving__in=[each.pk for each in rows], status=Experiment.Status.RUNNING
    )
    until = dict(running.values_list("saving_id", "ends_at"))
    total = savings_total(rows)
    return tables.paged(
        Table(
            name="savings",
            title="Savings",
            columns=_COLUMNS,
            rows=[_open(each, _todo(each, buttons, until.get(each.pk))) for each in rows],
            totals={"amount": total} if rows else {},
            file_totals={"amount": total},
            sort="-amount",
            empty=EMPTY,
        ),
        query,
    )


def idle_money_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What lies there and is not spent. Its sum says nothing, so there is none."""
    rows, buttons = _open_rows(user).filter(kind__in=IDLE_MONEY)[:_SHOWN], _Buttons.of(user)
    return tables.paged(
        Table(
            name="idle-money",
            title="Idle money",
            columns=_IDLE_COLUMNS,
            rows=[_open(each, _todo(each, buttons, None)) for each in rows],
            sort="-amount",
            prefix="idle-",
            empty="No key is on without use for 30 days, and no agent is lent twice what it uses.",
        ),
        query,
    )


def _open(each: Saving, todo: Cell) -> Row:
    return {
        "subject": subject_cell(each.subject),
        "kind": each.get_kind_display(),
        "amount": each.amount,
        "low": each.amount_low,
        "high": each.amount_high,
        "words": each.words,
        "todo": todo,
        "found": each.found_at,
    }


def _todo(each: Saving, buttons: _Buttons, until: datetime | None) -> Cell:
    """What follows from a saving, as a link for those who may do it."""
    if until:
        return Cell(f"An experiment runs until {until:%Y-%m-%d}")
    about = each.evidence
    if each.advice == Saving.Advice.PAUSE:
        return Cell("Pause the key", f"?act=pause&saving={each.pk}" if buttons.prefer else "")
    if each.advice == Saving.Advice.LOOK:
        return _page_of(each)
    if each.advice == Saving.Advice.SWITCH:
        url = f"?act=prefer&saving={each.pk}" if buttons.prefer else ""
        return Cell(f"Lend {about['to_key']} first", url)
    if each.advice == Saving.Advice.ADOPT:
        url = f"?act=adopt&experiment={about['experiment']}" if buttons.experiment else ""
        return Cell(f"Use {about['to_model']} for all parts", url)
    url = f"?act=try&saving={each.pk}" if buttons.experiment else ""
    return Cell(f"Try {about['to_model']} for a week", url)


def _page_of(each: Saving) -> Cell:
    """Where the cause of a saving is looked into."""
    agent = each.subject.removeprefix("agent:")
    if each.kind == SavingKind.RETRIES:
        return Cell("See its tasks", links.url("tasks", agent=agent))
    return Cell("See the agent", links.url("agent", agent))


def experiments_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The experiments, the newest first."""
    rows = visible_to(user, Experiment.objects.all()).order_by("-pk")
    may_stop = user.has_perm("orchestration.change_experiment")
    return tables.paged(
        Table(
            name="experiments",
            title="Experiments",
            columns=_EXPERIMENT_COLUMNS,
            rows=[_experiment(each, may_stop=may_stop) for each in rows[:_SHOWN]],
            sort="-started",
            prefix="experiments-",
            empty="No experiment was started. Where a model looks cheaper but the figures are few, "
            "or people chose which work it got, Butler can try it out with 10 of 100 parts.",
        ),
        query,
    )


def _experiment(each: Experiment, *, may_stop: bool) -> Row:
    goes_on = each.status in Experiment.ASSIGNING
    todo = Cell("Stop it", f"?act=stop&experiment={each.pk}" if may_stop else "")
    return {
        "subject": subject_cell(f"agent:{each.agent_id}"),
        "tried": f"{each.model} of {each.provider_id}",
        "asked": each.from_model or "no named model",
        "parts": each.share if goes_on else None,
        "status": each.status,
        "started": each.started_at,
        "ends": each.ends_at if each.status == Experiment.Status.RUNNING else each.ended_at,
        "outcome": each.outcome,
        "todo": todo if goes_on else None,
    }


def closed_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What was followed, dismissed, or is not found any more."""
    rows = visible_to(user, Saving.objects.exclude(status=Saving.Status.OPEN))
    return tables.paged(
        Table(
            name="closed-savings",
            title="Followed and dismissed",
            columns=_CLOSED_COLUMNS,
            rows=[
                {
                    "subject": subject_cell(each.subject),
                    "kind": each.get_kind_display(),
                    "status": each.status,
                    "amount": each.amount,
                    "words": each.words,
                    "by": each.closed_by,
                    "reason": each.reason,
                    "closed": each.closed_at,
                }
                for each in rows.order_by("-closed_at")[:_SHOWN]
            ],
            sort="-closed",
            prefix="closed-",
            empty="No saving was followed or dismissed yet.",
        ),
        query,
    )


def subject_cell(subject: str) -> Cell:
    """The agent or key that a saving is about, with its page."""
    kind, _, slug = subject.partition(":")
    return Cell(slug, links.url("agent" if kind == "agent" else "key", slug))
