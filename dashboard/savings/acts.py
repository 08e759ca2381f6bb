"""What people may do about savings: follow one, dismiss it, be told again, look now."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from prediction import services as prediction
from prediction.models import Saving
from reports import services as reports
from security.actor import Actor

_SHOWN = 500
# `subject` of these acts: the savings that the person may see.
Savings = QuerySet[Saving]


class SavingForm(ActForm):
    """Asks which saving, and why."""

    saving = forms.ChoiceField(help_text="The saving that this is about.")
    field_order = ("saving", "reason")
    which = Q(status=Saving.Status.OPEN)

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["saving"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each}, {each.amount:,.2f} USD ({each.detail})")
            for each in subject.filter(self.which)[:_SHOWN]
        ]


class DismissedForm(SavingForm):
    """Asks which dismissed saving, and why."""

    which = Q(status=Saving.Status.DISMISSED)


def _dismiss(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    prediction.dismiss_saving(int(asked["saving"]), reason=asked["reason"], actor=actor, now=now)
    return "It is not told again, until somebody takes that back."


def _tell_again(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    prediction.tell_saving_again(int(asked["saving"]), reason=asked["reason"], actor=actor, now=now)
    return "Butler tells of it again."


def _prefer(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    _, key = reports.prefer_key(int(asked["saving"]), reason=asked["reason"], actor=actor, now=now)
    return f"{key.pk} is lent first: its priority is {key.priority}."


def _find(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reports.ask_savings()
    return "Butler looks for savings now. Load this page again in a minute."


def _has(status: str) -> Any:
    return lambda subject: subject.filter(status=status).exists()


SAVING_ACTS = (
    Act(
        name="prefer",
        button="Lend the cheaper key first",
        about="The cheaper key gets a higher priority than the dearer one. From then on Butler "
        "lends it first to everybody who names no model, while it has room. Sessions that run stay "
        "where they are. The page of the key takes it back.",
        perform=_prefer,
        permission="keys.change_apikey",
        form=SavingForm,
        applies=_has(Saving.Status.OPEN),
    ),
    Act(
        name="dismiss",
        button="Do not tell again",
        about="The proposal leaves the list and stays away, also when it is found again, until "
        "somebody takes that back.",
        perform=_dismiss,
        permission="prediction.change_saving",
        form=SavingForm,
        applies=_has(Saving.Status.OPEN),
    ),
    Act(
        name="tell-again",
        button="Tell again",
        about="The proposal is on the list again.",
        perform=_tell_again,
        permission="prediction.change_saving",
        form=DismissedForm,
        applies=_has(Saving.Status.DISMISSED),
    ),
    Act(
        name="find",
        button="Look now",
        about="Butler looks for savings in the last 30 days, as it does each night.",
        perform=_find,
        permission="prediction.change_saving",
        form=NoQuestions,
    ),
)
