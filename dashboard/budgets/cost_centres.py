"""The tree of cost centres: its table, and how one is added or renamed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Count
from django.utils.html import format_html

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, ActForm, Outcome
from dashboard.tables import Cell, Column, Row, Table
from gate.queries import bindings
from keys import services as keys
from keys.models import CostCentre
from security.actor import Actor

CHANGE = "keys.change_costcentre"
_LEVELS_MAX = 6
_ACTS = ("change", "move", "close")
_COLUMNS = (
    Column("place", "Cost centre", "link"),
    Column("name", "Name"),
    Column("agents", "Agents", "count", total=True),
    Column("status", "Status", "status"),
    Column("change", "Change", "link", sortable=False),
    Column("move", "Move", "link", sortable=False),
    Column("close", "Close", "link", sortable=False),
    Column("since", "Since", "moment"),
)


def centres_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The cost centres that the person sees, as a tree until another order is asked for; one
    query."""
    rows = visible_to(user, CostCentre.objects.all()).annotate(agent_count=Count("agents"))
    may = user.has_perm(CHANGE)
    is_tree = query.get("sort", "place") == "place"
    found = [_row(each, may=may, is_tree=is_tree) for each in rows.order_by("path")]
    table = Table(
        name="cost-centres",
        title="Cost centres",
        columns=_COLUMNS,
        rows=found,
        totals={"agents": sum(row["agents"] for row in found)},
        sort="place",
        file_columns=[column for column in _COLUMNS if column.name not in _ACTS],
        empty="There is no cost centre yet.",
    )
    return tables.paged(table, query)


def _row(centre: Any, *, may: bool, is_tree: bool) -> Row:
    level = min(len(centre.path), _LEVELS_MAX) if is_tree else 1
    shown = centre.pk if is_tree else " / ".join(centre.path)
    return {
        "place": Cell(
            " / ".join(centre.path),
            links.url("budget", centre.pk),
            picture=format_html('<span class="level-{}">{}</span>', level, shown),
        ),
        "name": centre.name,
        "agents": centre.agent_count,
        "status": "closed" if centre.closed_at else "open",
        "change": Cell("Rename", f"?act=rename-{centre.pk}") if may else "",
        "move": Cell("Move", f"?act=move-{centre.pk}") if may and not centre.closed_at else "",
        "close": _close_cell(centre) if may else "",
        "since": centre.created_at,
    }


def _close_cell(centre: CostCentre) -> Cell:
    act, title = ("reopen", "Reopen") if centre.closed_at else ("close", "Close")
    return Cell(title, f"?act={act}-{centre.pk}")


class AddForm(ActForm):
    """Asks for the name in the API, the name on pages, and the place. Its subject is the person."""

    slug = forms.CharField(
        label="Name in the API",
        max_length=64,
        help_text="The letters a-z, digits, - and _. It cannot be changed later.",
    )
    name = forms.CharField(
        label="Name on pages", max_length=200, required=False, help_text="It can be changed later."
    )
    parent = forms.ModelChoiceField(
        CostCentre.objects.none(),
        label="Below",
        required=False,
        empty_label="at the top",
        help_text="What it spends counts in all cost centres above it.",
    )
    field_order = ("slug", "name", "parent", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        parent: Any = self.fields["parent"]
        parent.queryset = visible_to(subject, CostCentre.objects.open().order_by("path"))
        # Who is bound to a part of the tree adds in that part only.
        parent.required = bool(bindings(subject))


def _add(person: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    parent = asked["parent"]
    centre = keys.create_cost_centre(
        asked["slug"],
        name=asked["name"],
        parent=parent.pk if parent else None,
        reason=asked["reason"],
        actor=actor,
        now=now,
    )
    return f"The cost centre {centre.pk} is added."


ADD = Act(
    name="add",
    button="Add a cost centre",
    about="A cost centre pays for agents. Without a limit, it may spend what those above it may.",
    permission="keys.add_costcentre",
    form=AddForm,
    perform=_add,
)


class RenameForm(ActForm):
    """Asks for another name on pages."""

    name = forms.CharField(label="Name on pages", max_length=200)
    field_order = ("name", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.initial["name"] = subject.name


def rename_act(centre: CostCentre) -> Act:
    """The act that renames this cost centre; its subject is the cost centre."""

    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        keys.rename_cost_centre(
            centre.pk, name=asked["name"], reason=asked["reason"], actor=actor, now=now
        )
        return f"The cost centre {centre.pk} is called {asked['name']}."

    return Act(
        name=f"rename-{centre.pk}",
        button="Rename",
        about=f"Pages show the new name of {centre.pk}. Closed months keep the one they have, and "
        "the name in the API stays.",
        permission=CHANGE,
        form=RenameForm,
        perform=perform,
    )
