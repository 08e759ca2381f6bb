"""The acts that freeze what spends, and that thaw it."""

from datetime import datetime
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from keys import services as keys
from keys.books.queries.freezes import freezes_of
from keys.models import EVERYTHING, ApiKey, Freeze, FreezeMode
from security.actor import Actor


class FreezeForm(ActForm):
    """Asks what happens to running calls, too."""

    mode = forms.ChoiceField(
        label="Running calls",
        choices=FreezeMode.choices,
        help_text="Calls that are ended are charged by what came of them.",
    )
    field_order = ("mode", "reason")


class FreezeChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A freeze, as `agent:ada, by grace since 2026-11-26 16:40 UTC: leak`."""

    def label_from_instance(self, obj: Freeze) -> str:
        """The words for a freeze."""
        scope = "everything" if obj.scope == EVERYTHING else obj.scope
        return f"{scope}, by {obj.frozen_by_name} since {obj.frozen_at:%Y-%m-%d %H:%M} UTC"


class ThawForm(ActForm):
    """Asks which of the freezes that stop it ends."""

    freeze = FreezeChoice(
        Freeze.objects.none(),
        empty_label=None,
        help_text="Thawing a cost centre or everything lets all that is below it spend again.",
    )
    field_order = ("freeze", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["freeze"].queryset = freezes_of(subject)  # type: ignore[attr-defined]


def _freeze(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    scope = subject.scope if isinstance(subject, ApiKey) else f"agent:{subject.pk}"
    keys.freeze(scope, mode=asked["mode"], reason=asked["reason"], actor=actor, now=now)
    return f"{subject.pk} is frozen."


def _thaw(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    freeze: Freeze = asked["freeze"]
    keys.thaw(freeze.pk, reason=asked["reason"], actor=actor, now=now)
    return f"The freeze of {freeze.scope} has ended."


FREEZE = Act(
    name="freeze",
    button="Freeze",
    about="No call is made for it, by no process, until somebody else thaws it.",
    permission="keys.add_freeze",
    form=FreezeForm,
    perform=_freeze,
)
THAW = Act(
    name="thaw",
    button="Thaw",
    about="It may spend again. Somebody other than the person who froze it must do this.",
    permission="keys.change_freeze",
    form=ThawForm,
    perform=_thaw,
    is_confirmed=True,
)
