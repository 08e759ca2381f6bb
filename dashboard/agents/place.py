"""The acts that give an agent another name, or another cost centre."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms

from common.admin.visible_rows import visible_to
from dashboard.acts import Act, ActForm, Outcome
from dashboard.consequences import ConsequenceForm, audience_sentences, open_work_sentences
from gate.queries import audience_change
from keys import services as keys
from keys.books.queries.open_work import OpenWork, Part, open_work
from keys.models import Agent, CostCentre
from security.actor import Actor

_CHANGE = "keys.change_agent"


class RenameForm(ActForm):
    """Asks for another name on pages."""

    name = forms.CharField(label="Name on pages", max_length=200)
    field_order = ("name", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.initial.setdefault("name", subject.name)


def _rename(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.rename_agent(agent.pk, name=asked["name"], reason=asked["reason"], actor=actor, now=now)
    return f"The agent {agent.pk} is called {asked['name']}."


RENAME = Act(
    name="rename",
    button="Rename",
    about="Pages show the new name; the name in the API stays. The history keeps the old one.",
    permission=_CHANGE,
    form=RenameForm,
    perform=_rename,
)


def _move(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    to: CostCentre = asked["cost_centre"]
    keys.move_agent(
        agent.pk,
        cost_centre=to.pk,
        open_work=asked["open_work"],
        reason=asked["reason"],
        actor=actor,
        now=now,
    )
    return f"{to.pk} pays for the agent {agent.pk} from now on."


def move_act(user: Any) -> Act:
    """The act that moves an agent to a cost centre that the person sees."""

    class MoveForm(ConsequenceForm):
        """Asks which cost centre pays from now on."""

        cost_centre = forms.ModelChoiceField(
            visible_to(user, CostCentre.objects.open().order_by("path")),
            label="Cost centre that pays from now on",
        )
        field_order = ("cost_centre", "reason", "confirmed")

        def clean_cost_centre(self) -> CostCentre:
            """Another one than now."""
            to: CostCentre = self.cleaned_data["cost_centre"]
            if to.pk == self.subject.cost_centre_id:
                raise forms.ValidationError(f"{to.pk} pays for the agent already.")
            return to

        def open_work(self) -> OpenWork:
            """What is open of the agent."""
            return open_work(Part(agent=self.subject.pk))

        def answer(self, asked: dict[str, Any]) -> str:
            """The cost centre."""
            return str(asked["cost_centre"].pk)

        def consequences(self, asked: dict[str, Any], found: OpenWork) -> Sequence[str]:
            """What ends, what counts where, and who sees it."""
            before, to = self.subject.cost_centre, asked["cost_centre"]
            change = audience_change(before=before.path, after=to.path)
            return [
                *open_work_sentences(found, paid_by=before.pk),
                f"What {self.subject.pk} spent stays with {before}; what it spends from now on "
                f"counts in {to}, under the limits there.",
                *audience_sentences(change, self.subject.pk, user=user),
            ]

    return Act(
        name="move",
        button="Move",
        about="Another cost centre pays for the agent from now on. Before it is done, this dialog "
        "shows what follows.",
        permission=_CHANGE,
        form=MoveForm,
        perform=_move,
    )
