"""The acts that close a cost centre with all below it, and open it again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django import forms

from common.admin.visible_rows import visible_to
from dashboard.acts import Act, Outcome
from dashboard.consequences import ConsequenceForm, open_work_sentences
from keys import services as keys
from keys.books.queries.open_work import OpenWork, Part, open_work
from keys.models import CostCentre
from security.actor import Actor

_CHANGE = "keys.change_costcentre"


def close_act(centre: CostCentre, user: Any) -> Act:
    """The act that closes this cost centre; its subject is the cost centre."""

    class CloseForm(ConsequenceForm):
        """Asks what becomes of the agents."""

        agents_to = forms.ModelChoiceField(
            visible_to(
                user, CostCentre.objects.open().exclude(path__contains=[centre.pk])
            ).order_by("path"),
            label="Move its agents to",
            required=False,
            empty_label="nowhere: switch them off",
        )
        field_order = ("agents_to", "reason", "confirmed")

        def open_work(self) -> OpenWork:
            """What is open of the cost centre and those below it."""
            return open_work(Part(cost_centre=centre.pk))

        def answer(self, asked: dict[str, Any]) -> str:
            """Where the agents go."""
            return asked["agents_to"].pk if asked["agents_to"] else "off"

        def consequences(self, asked: dict[str, Any], found: OpenWork) -> Sequence[str]:
            """How many rows close, what ends, and what becomes of the agents."""
            part, to = Part(cost_centre=centre.pk), asked["agents_to"]
            centres = part.centres().filter(closed_at=None).count()
            agents = part.agents().filter(disabled_at=None).count()
            return [
                f"Cost centres that close: {centres}. Agents that "
                + (f"{to.pk} pays for from now on" if to else "are switched off")
                + f": {agents}.",
                *open_work_sentences(found, paid_by=centre.pk),
                "What was spent stays in its reports and statements, and people see the same as "
                "before.",
            ]

    return Act(
        name=f"close-{centre.pk}",
        button="Close",
        about=f"{centre.pk} and all below it pay for nothing new, and are offered nowhere. It can "
        "be reopened. Before it is done, this dialog shows what follows.",
        permission=_CHANGE,
        form=CloseForm,
        perform=_close(centre),
        applies=lambda subject: centre.closed_at is None,
    )


def _close(centre: CostCentre) -> Callable[..., Outcome]:
    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        keys.close_cost_centre(
            centre.pk,
            agents_to=asked["agents_to"].pk if asked["agents_to"] else "",
            open_work=asked["open_work"],
            reason=asked["reason"],
            actor=actor,
            now=now,
        )
        return f"The cost centre {centre.pk} is closed."

    return perform


def reopen_act(centre: CostCentre, user: Any) -> Act:
    """The act that opens this cost centre again; its subject is the cost centre."""

    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        keys.reopen_cost_centre(centre.pk, reason=asked["reason"], actor=actor, now=now)
        return f"The cost centre {centre.pk} is open again."

    return Act(
        name=f"reopen-{centre.pk}",
        button="Reopen",
        about=f"{centre.pk} may pay again. The cost centres below it stay closed, and its agents "
        "switched off, until they are reopened and switched on one by one.",
        permission=_CHANGE,
        perform=perform,
        applies=lambda subject: centre.closed_at is not None,
    )
