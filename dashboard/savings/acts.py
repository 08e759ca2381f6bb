"""What people may do about savings: follow one, dismiss it, be told again, look now."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.db.models import Q, QuerySet

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from orchestration import services as orchestration
from orchestration.models import Experiment
from prediction import services as prediction
from prediction.models import Saving
from reports import services as reports
from security.actor import Actor

_SHOWN = 500


class Seen(NamedTuple):
    """What the person may see: the subject of these acts."""

    savings: QuerySet[Saving]
    experiments: QuerySet[Experiment]


class SavingForm(ActForm):
    """Asks which saving, and why."""

    saving = forms.ChoiceField(help_text="The saving that this is about.")
    field_order = ("saving", "reason")
    which = Q(status=Saving.Status.OPEN)

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["saving"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each}, {each.amount:,.2f} USD ({each.detail})")
            for each in subject.savings.filter(self.which)[:_SHOWN]
        ]


class SwitchForm(SavingForm):
    """Asks which saving that a priority makes, and why."""

    which = Q(status=Saving.Status.OPEN, advice=Saving.Advice.SWITCH)


class PauseForm(SavingForm):
    """Asks which idle key to pause, and why."""

    which = Q(status=Saving.Status.OPEN, advice=Saving.Advice.PAUSE)


class TryForm(SavingForm):
    """Asks which saving to try out, and why."""

    which = Q(status=Saving.Status.OPEN, advice=Saving.Advice.EXPERIMENT)


class ExperimentForm(ActForm):
    """Asks which experiment, and why."""

    experiment = forms.ChoiceField(help_text="The experiment that this is about.")
    field_order = ("experiment", "reason")
    which = Q(status__in=Experiment.ASSIGNING)

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["experiment"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each.agent_id}: {each}")
            for each in subject.experiments.filter(self.which)[:_SHOWN]
        ]


class BetterForm(ExperimentForm):
    """Asks which experiment that did better, and why."""

    which = Q(status=Experiment.Status.BETTER)


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


def _pause(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    _, key = reports.pause_key(int(asked["saving"]), reason=asked["reason"], actor=actor, now=now)
    return f"{key.pk} is paused."


def _try(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    made = orchestration.start_experiment(
        int(asked["saving"]), reason=asked["reason"], actor=actor, now=now
    )
    return (
        f"{made.percent} of 100 parts run on {made.model} until {made.ends_at:%Y-%m-%d %H:%M} UTC."
    )


def _stop(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    row, _ = orchestration.stop_experiment(
        int(asked["experiment"]), reason=asked["reason"], actor=actor, now=now
    )
    return f"New parts of {row.agent_id} run as they ask again."


def _adopt(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    row, _ = orchestration.adopt_experiment(
        int(asked["experiment"]), reason=asked["reason"], actor=actor, now=now
    )
    return f"All new parts of {row.agent_id} of this kind run on {row.model}."


def _has(form: type[SavingForm]) -> Callable[[Any], bool]:
    return lambda subject: subject.savings.filter(form.which).exists()


def _has_experiments(form: type[ExperimentForm]) -> Callable[[Any], bool]:
    return lambda subject: subject.experiments.filter(form.which).exists()


SAVING_ACTS = (
    Act(
        name="prefer",
        button="Lend the cheaper key first",
        about="The cheaper key gets a higher priority than the dearer one. From then on Butler "
        "lends it first to everybody who names no model, while it has room. Sessions that run stay "
        "where they are. The page of the key takes it back.",
        perform=_prefer,
        permission="keys.change_apikey",
        form=SwitchForm,
        applies=_has(SwitchForm),
    ),
    Act(
        name="pause",
        button="Pause an idle key",
        about="Butler lends no more tokens on the key. Its page resumes it.",
        perform=_pause,
        permission="keys.change_apikey",
        form=PauseForm,
        applies=_has(PauseForm),
    ),
    Act(
        name="try",
        button="Try it out",
        about="For a week, 10 of 100 parts of this kind run on the cheaper model, chosen by a "
        "hash; their pages say so. Butler compares success and cost, stops early if the model is "
        "clearly worse, and tells what came of it. You can stop it at any time.",
        perform=_try,
        permission="orchestration.add_experiment",
        form=TryForm,
        applies=_has(TryForm),
    ),
    Act(
        name="adopt",
        button="Use it for all parts",
        about="All new parts of this kind run on the model that did better, although they ask for "
        "another, until somebody stops that here.",
        perform=_adopt,
        permission="orchestration.change_experiment",
        form=BetterForm,
        applies=_has_experiments(BetterForm),
    ),
    Act(
        name="stop",
        button="Stop an experiment",
        about="New parts run as they ask again. Parts that were planned with the other model keep "
        "it.",
        perform=_stop,
        permission="orchestration.change_experiment",
        form=ExperimentForm,
        applies=_has_experiments(ExperimentForm),
    ),
    Act(
        name="dismiss",
        button="Do not tell again",
        about="The proposal leaves the list and stays away, also when it is found again, until "
        "somebody takes that back.",
        perform=_dismiss,
        permission="prediction.change_saving",
        form=SavingForm,
        applies=_has(SavingForm),
    ),
    Act(
        name="tell-again",
        button="Tell again",
        about="The proposal is on the list again.",
        perform=_tell_again,
        permission="prediction.change_saving",
        form=DismissedForm,
        applies=_has(DismissedForm),
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
