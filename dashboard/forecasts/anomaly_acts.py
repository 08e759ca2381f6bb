"""What people may do about anomalies: expect one, be told again, and freeze by itself."""

from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.db.models import QuerySet

from dashboard.acts import Act, ActForm, Outcome
from prediction import services as prediction
from prediction.models import Anomaly, AnomalyFreeze, AnomalyKind, ExpectedAnomaly
from security.actor import Actor

_SHOWN = 200


class SeenAnomalies(NamedTuple):
    """What the person may see: the subject of these acts."""

    anomalies: QuerySet[Anomaly]
    expected: QuerySet[ExpectedAnomaly]


class ExpectForm(ActForm):
    """Asks which anomaly, and why it is expected."""

    anomaly = forms.ChoiceField(
        help_text="It ends, and this kind is not told of the agent or key any more."
    )
    field_order = ("anomaly", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["anomaly"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each}, since {each.began_at:%Y-%m-%d %H:%M} UTC")
            for each in subject.anomalies[:_SHOWN]
        ]


class TellAgainForm(ActForm):
    """Asks what is not expected any more, and why."""

    expected = forms.ChoiceField(help_text="What Butler tells of again when it sees it.")
    field_order = ("expected", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["expected"].choices = [  # type: ignore[attr-defined]
            (str(each.pk), f"{each} ({each.reason})") for each in subject.expected
        ]


class FreezeForm(ActForm):
    """Asks which kind freezes by itself, or no longer, and why."""

    anomalies = forms.ChoiceField(help_text="The kind of anomalies.")
    freezes = forms.ChoiceField(
        choices=[("yes", "freeze the agent or key at once"), ("no", "leave it to people")],
        help_text="A person thaws what was frozen.",
    )
    field_order = ("anomalies", "freezes", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        freezing = set(AnomalyFreeze.objects.values_list("pk", flat=True))
        self.fields["anomalies"].choices = [  # type: ignore[attr-defined]
            (kind.value, f"{kind.label} ({'freezes' if kind in freezing else 'is left to people'})")
            for kind in AnomalyKind
        ]


def _expect(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    row, _ = prediction.expect_anomaly(
        int(asked["anomaly"]), reason=asked["reason"], actor=actor, now=now
    )
    return f"The {row} is expected, and is not told again."


def _tell_again(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    prediction.tell_again(int(asked["expected"]), reason=asked["reason"], actor=actor, now=now)
    return "Butler tells of it again when it sees it."


def _freeze(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    kind = AnomalyKind(asked["anomalies"])
    prediction.set_anomaly_freeze(
        kind, freezes=asked["freezes"], reason=asked["reason"], actor=actor, now=now
    )
    if asked["freezes"] == "yes":
        return f"A {kind.label} freezes the agent or the key at once."
    return f"A {kind.label} is left to people."


ANOMALY_ACTS = (
    Act(
        name="expect",
        button="Expect an anomaly",
        about="Its alert is resolved, and Butler does not tell this kind of this agent or key "
        "again, until somebody takes it back.",
        perform=_expect,
        permission="prediction.add_expectedanomaly",
        form=ExpectForm,
    ),
    Act(
        name="tell-again",
        button="Tell again",
        about="Butler tells of it again when it sees it.",
        perform=_tell_again,
        permission="prediction.delete_expectedanomaly",
        form=TellAgainForm,
    ),
    Act(
        name="auto-freeze",
        button="Freeze by itself",
        about="At a new anomaly of this kind, Butler freezes the agent or the API key at once: its "
        "running calls end, and it gets no others until somebody thaws it.",
        perform=_freeze,
        permission="prediction.change_anomalyfreeze",
        form=FreezeForm,
    ),
)
