"""What Butler tells a person by e-mail: when, of which kinds, and what was sent."""

from datetime import datetime
from typing import Any, NamedTuple

from django import forms

from alerts import kinds
from alerts import queries as alert_queries
from alerts import services as alerts
from alerts.models import Channel, Notification
from dashboard.acts import Act, NoQuestions, Outcome
from security.actor import Actor

_SHOWN = 10


class Notices(NamedTuple):
    """The choices of a person, in words, and the last messages to them."""

    address: str
    quiet: str
    muted: str
    deliveries: list[Notification]


def notices_of(user: Any) -> Notices:
    """The notices of a person; two queries."""
    channel = _channel_of(user)
    quiet = muted = ""
    if channel:
        muted = ", ".join(kind.replace("_", " ") for kind in channel.muted_kinds)
        if channel.quiet_from and channel.quiet_until:
            quiet = f"{channel.quiet_from:%H:%M} to {channel.quiet_until:%H:%M}"
    sent = list(alert_queries.deliveries_to(user)[:_SHOWN]) if channel else []
    return Notices(user.email, quiet, muted, sent)


def _channel_of(user: Any) -> Channel | None:
    return Channel.objects.filter(person=user).first()


def _time(label: str, help_text: str = "") -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget, help_text=help_text)


def _mutable() -> list[tuple[str, str]]:
    found = sorted(kind.slug for kind in kinds.all_kinds().values() if not kind.is_security)
    return [(slug, slug.replace("_", " ")) for slug in found]


class NoticesForm(NoQuestions):
    """Asks for quiet hours and for kinds that the person does not want."""

    quiet_from = _time(
        "Quiet from",
        "By the clock of the reporting zone. Critical alerts and those about security come all "
        "the same.",
    )
    quiet_until = _time("Quiet until")
    muted_kinds = forms.MultipleChoiceField(
        label="Not wanted",
        required=False,
        choices=_mutable,
        help_text="Of these kinds you get no e-mail. They stay in the inbox of alerts.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        if channel := _channel_of(subject):
            kwargs["initial"] = {name: getattr(channel, name) for name in self.base_fields}
        super().__init__(subject, *args, **kwargs)


def _change(user: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    alerts.change_notices(user, **asked, actor=actor, now=now)
    return "Saved. This counts for alerts that are raised from now on."


NOTICES = Act(
    name="notices",
    button="Change",
    about="Alerts about security always reach you, at any hour.",
    form=NoticesForm,
    perform=_change,
)
