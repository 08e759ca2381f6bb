"""The act that puts a cost centre with all below it under another one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django import forms

from common.admin.visible_rows import visible_to
from dashboard.acts import Act, Outcome
from dashboard.consequences import ConsequenceForm, audience_sentences, open_work_sentences
from gate.queries import audience_change, bindings
from keys import services as keys
from keys.books.queries.open_work import OpenWork, Part, open_work
from keys.models import CostCentre
from security.actor import Actor

_CHANGE = "keys.change_costcentre"


def move_act(centre: CostCentre, user: Any) -> Act:
    """The act that moves this cost centre; its subject is the cost centre.

    Who is bound to a part of the tree moves within that part only, and never its top.
    """
    is_bound = bool(bindings(user))
    seen = visible_to(user, CostCentre.objects.open())

    class MoveForm(ConsequenceForm):
        """Asks below which cost centre it is from now on."""

        parent = forms.ModelChoiceField(
            seen.exclude(path__contains=[centre.pk]).order_by("path"),
            label="Below",
            required=is_bound,
            empty_label="at the top",
        )
        field_order = ("parent", "reason", "confirmed")

        def clean_parent(self) -> CostCentre | None:
            """Another one than now."""
            to: CostCentre | None = self.cleaned_data["parent"]
            if (to.pk if to else None) == centre.parent_id:
                raise forms.ValidationError(f"{centre.pk} is there already.")
            return to

        def open_work(self) -> OpenWork:
            """What is open of the cost centre and those below it."""
            return open_work(Part(cost_centre=centre.pk))

        def answer(self, asked: dict[str, Any]) -> str:
            """The place."""
            return f"below {asked['parent'].pk}" if asked["parent"] else "top"

        def consequences(self, asked: dict[str, Any], found: OpenWork) -> Sequence[str]:
            """How many rows move, what ends, what counts where, and who sees it."""
            part, to = Part(cost_centre=centre.pk), asked["parent"]
            above = to.path if to else []
            change = audience_change(before=centre.path[:-1], after=above)
            return [
                f"Cost centres that move: {part.centres().count()}. Agents that move with them: "
                f"{part.agents().count()}.",
                *open_work_sentences(found, paid_by="the cost centres above it now"),
                "What they spent stays in the budgets, reports and statements of "
                f"{_named(centre.path[:-1])}; what they spend from now on counts in those of "
                f"{_named(above)}.",
                *audience_sentences(change, centre.pk, user=user),
            ]

    return Act(
        name=f"move-{centre.pk}",
        button="Move",
        about=f"{centre.pk} with all below it gets another place in the tree from now on. Before "
        "it is done, this dialog shows what follows.",
        permission=_CHANGE,
        form=MoveForm,
        perform=_move(centre),
        applies=lambda subject: centre.closed_at is None and _may_leave(centre, seen, is_bound),
    )


def _may_leave(centre: CostCentre, seen: Any, is_bound: bool) -> bool:
    """Whether the person sees the place that it leaves."""
    return not is_bound or seen.filter(pk=centre.parent_id).exists()


def _named(path: Sequence[str]) -> str:
    return " / ".join(path) or "no other"


def _move(centre: CostCentre) -> Callable[..., Outcome]:
    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        moved = keys.move_cost_centre(
            centre.pk,
            parent=asked["parent"].pk if asked["parent"] else "",
            open_work=asked["open_work"],
            reason=asked["reason"],
            actor=actor,
            now=now,
        )
        return f"The cost centre {centre.pk} is at {moved} from now on."

    return perform
