"""What people may do about shared costs, mark-ups and the note of a statement."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from dashboard.charge_back.tables import tidy
from keys.models import CostCentre
from reports import services as reports
from reports.models import CostShare, MarkUp
from reports.models.charge_back import PERCENT_MAX, PERCENT_MIN
from reports.queries.statements import Statement
from security.actor import Actor

_CHANGE = "reports.change_costshare"


class SplitForm(ActForm):
    """Asks whose costs are split, how, and among whom."""

    source = forms.ModelChoiceField(
        CostCentre.objects.open().order_by("path"),
        label="Costs of",
        required=False,
        empty_label="The unallocated bucket",
        help_text="All that this cost centre pays itself is split. A rule that it has is replaced.",
    )
    method = forms.ChoiceField(
        label="Split",
        choices=CostShare.Method.choices,
        help_text="Fixed shares are percent; what they lack to 100 is unallocated. By use: as the "
        "costs of their own calls in the month.",
    )
    targets = forms.CharField(
        label="Among",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One cost centre a line, with its percent if shares are fixed: research 60. "
        "Without any, all is unallocated.",
    )
    field_order = ("source", "method", "targets", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        source: Any = self.fields["source"]
        # A rule of one that was closed since can still be replaced.
        sources = CostShare.objects.exclude(source=None).values("source")
        source.queryset = CostCentre.objects.open(kept=sources).order_by("path")

    def clean_targets(self) -> dict[str, Decimal | None]:
        """The percent of each cost centre; None where there is none."""
        targets = dict(map(_target, filter(None, map(str.strip, self._lines()))))
        known = {each.pk: each for each in CostCentre.objects.filter(pk__in=targets)}
        if unknown := sorted(targets.keys() - known.keys()):
            raise ValidationError(f"There is no cost centre {unknown[0]}.")
        if closed := sorted(name for name, each in known.items() if each.closed_at):
            raise ValidationError(f"{closed[0]} is closed. Name a cost centre that is open.")
        return targets

    def _lines(self) -> list[str]:
        text: str = self.cleaned_data["targets"]
        lines = text.replace(",", "\n").splitlines()
        names = [line.split()[0] for line in lines if line.strip()]
        if len(set(names)) < len(names):
            raise ValidationError("Name each cost centre once.")
        return lines


def _target(line: str) -> tuple[str, Decimal | None]:
    name, *rest = line.rstrip("%").split()
    if len(rest) > 1:
        raise ValidationError(f"Use a cost centre and its percent: {line}")
    try:
        percent = Decimal(rest[0]) if rest else None
        if percent is not None:
            forms.DecimalField(max_digits=7, decimal_places=3).clean(rest[0])
    except (InvalidOperation, ValidationError):
        raise ValidationError(f"{rest[0]} is no percentage with three places at most.") from None
    return name, percent


class StopForm(ActForm):
    """Asks which rule is deleted."""

    rule = forms.ModelChoiceField(CostShare.objects.order_by("source"), label="Rule")
    field_order = ("rule", "reason")


class MarkUpForm(ActForm):
    """Asks for the percent of a cost centre."""

    centre = forms.ModelChoiceField(CostCentre.objects.open().order_by("path"), label="Cost centre")
    percent = forms.DecimalField(
        max_digits=7,
        decimal_places=3,
        min_value=PERCENT_MIN,
        max_value=PERCENT_MAX,
        help_text="It is added to all its costs. Below zero it is a discount; 0 removes it.",
    )
    field_order = ("centre", "percent", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        centre: Any = self.fields["centre"]
        # That of one that was closed since can still be removed.
        marked = MarkUp.objects.values("cost_centre")
        centre.queryset = CostCentre.objects.open(kept=marked).order_by("path")


class NoteForm(NoQuestions):
    """Asks for the note."""

    text = forms.CharField(
        label="Note", max_length=1000, widget=forms.Textarea(attrs={"rows": 4}), required=False
    )

    def __init__(self, subject: Statement, *args: Any, **kwargs: Any) -> None:
        if subject.note:
            kwargs["initial"] = {"text": subject.note.text}
        super().__init__(subject, *args, **kwargs)


def _split(subject: None, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    source = asked["source"]
    reports.share_costs(
        source=source.pk if source else None,
        method=asked["method"],
        targets=asked["targets"],
        actor=actor,
        reason=asked["reason"],
        now=now,
    )
    return "The rule counts from the next month that is closed."


def _stop(subject: None, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reports.stop_sharing(asked["rule"], actor=actor, reason=asked["reason"], now=now)
    return "The rule is deleted."


def _mark_up(subject: None, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    centre, percent = asked["centre"], asked["percent"]
    reports.change_mark_up(centre, percent=percent, actor=actor, reason=asked["reason"], now=now)
    return f"{tidy(percent)} % counts for {centre} from the next month that is closed."


def _note(subject: Statement, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reports.write_note(
        subject.close, cost_centre=subject.cost_centre, text=asked["text"], actor=actor, now=now
    )
    return "The note is saved."


RULE_ACTS = [
    Act(
        name="split",
        button="Split costs",
        about="It counts from the next month that is closed. What a cost centre receives is not "
        "split again.",
        permission=_CHANGE,
        form=SplitForm,
        perform=_split,
    ),
    Act(
        name="stop",
        button="Delete a rule",
        about="The cost centre keeps its costs, from the next month that is closed.",
        permission=_CHANGE,
        form=StopForm,
        perform=_stop,
        applies=lambda subject: CostShare.objects.exists(),
    ),
    Act(
        name="mark-up",
        button="Set a mark-up",
        about="It counts from the next month that is closed, and is a line of its own in the "
        "statement.",
        permission=_CHANGE,
        form=MarkUpForm,
        perform=_mark_up,
    ),
]
NOTE = Act(
    name="note",
    button="Write a note",
    about="It is printed on the statement. Once the month is signed, it does not change.",
    permission="reports.lock_monthclose",
    form=NoteForm,
    perform=_note,
    applies=lambda subject: subject.close.status == "locked",
)
