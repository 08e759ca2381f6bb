"""What people may do to a channel and to a delivery."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms

from alerts import kinds
from alerts import services as alerts
from alerts.models import Channel, Notification, Severity
from dashboard.acts import Act, ActForm, NoQuestions, Outcome, Perform
from security.actor import Actor

_CHANGE = "alerts.change_channel"


def _kind_choices() -> list[tuple[str, str]]:
    return [(slug, slug.replace("_", " ")) for slug in sorted(kinds.all_kinds())]


def _url_field(**options: Any) -> forms.CharField:
    return forms.CharField(
        label="URL",
        max_length=2_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of a webhook, such as https://example.org/hook, whose messages Butler signs; or "
        "of a service that Apprise knows, such as mailto://… or slack://…. Butler stores it sealed "
        "and never shows it again.",
        **options,
    )


class ChannelForm(NoQuestions):
    """Asks for the settings of a channel."""

    name = forms.CharField(
        max_length=100,
        # Browsers take it for the name of a person, since the URL is entered as a password.
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The name of the channel on pages and in messages.",
    )
    severity_min = forms.ChoiceField(
        label="Minimum severity",
        choices=Severity.choices,
        help_text="The channel gets alerts of this severity and above.",
    )
    kinds = forms.MultipleChoiceField(
        required=False,
        choices=_kind_choices,
        help_text="The channel gets only alerts of the kinds that are chosen here. If none is "
        "chosen, it gets alerts of every kind.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(subject, Channel):
            own = {name: getattr(subject, name) for name in ("name", "severity_min", "kinds")}
            kwargs["initial"] = own
        super().__init__(subject, *args, **kwargs)


class NewChannelForm(ChannelForm):
    """Asks for the URL, too."""

    url = _url_field()
    field_order = ("name", "url", "severity_min", "kinds")


class UrlForm(NoQuestions):
    """Asks for another URL."""

    url = _url_field()


def _change(channel: Channel, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    alerts.change_channel(channel.pk, actor=actor, now=now, **asked)
    return "The channel was changed."


def _change_url(channel: Channel, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    alerts.change_channel_url(channel.pk, url=asked["url"], actor=actor, now=now)
    return "The channel has another URL."


def _simple(service: Callable[..., object], done: str) -> Perform:
    def perform(channel: Channel, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        service(channel.pk, actor=actor, now=now)
        return done.format(channel.name)

    return perform


def _send_again(
    notification: Notification, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    again = alerts.send_again(notification.pk, reason=asked["reason"], actor=actor, now=now)
    return f"It is sent again, as delivery {again.pk}."


# The page shows the answer to the first, and the secret that the second makes.
TEST = Act(
    name="test",
    button="Send a test",
    about="Butler sends a test message through this channel, once. The page of its delivery shows "
    "the answer.",
    permission=_CHANGE,
    form=NoQuestions,
    perform=_simple(alerts.test_channel, "A test message is on its way."),
    applies=lambda channel: channel.disabled_at is None,
)
ROTATE = Act(
    name="secret",
    button="New signing secret",
    about="Butler makes another signing secret and shows it once. For 24 hours messages are signed "
    "with the secret before it, too, so the receiver can change over at any moment.",
    permission=_CHANGE,
    form=NoQuestions,
    perform=_simple(alerts.rotate_signing_secret, "{} has another signing secret."),
    applies=lambda channel: channel.is_webhook,
)
ADD = Act(
    name="add",
    button="Add channel",
    about="Butler tells the channel of alerts that are raised from now on.",
    permission="alerts.add_channel",
    form=NewChannelForm,
    perform=lambda *_: "",
)
CHANNEL_ACTS = (
    TEST,
    Act(
        name="change",
        button="Change",
        about="Decides which alerts the channel gets.",
        permission=_CHANGE,
        form=ChannelForm,
        perform=_change,
    ),
    Act(
        name="url",
        button="Replace URL",
        about="Messages that wait are tried with this URL at once.",
        permission=_CHANGE,
        form=UrlForm,
        perform=_change_url,
    ),
    ROTATE,
    Act(
        name="disable",
        button="Disable",
        about="Butler discards the notifications that still wait for this channel.",
        permission=_CHANGE,
        form=NoQuestions,
        perform=_simple(alerts.disable_channel, "{} is disabled."),
        applies=lambda channel: channel.disabled_at is None,
    ),
    Act(
        name="enable",
        button="Enable",
        about="The channel gets alerts that are raised from now on.",
        permission=_CHANGE,
        form=NoQuestions,
        perform=_simple(alerts.enable_channel, "{} is enabled."),
        applies=lambda channel: channel.disabled_at or channel.failures,
    ),
)
SEND_AGAIN = Act(
    name="again",
    button="Send again",
    about="Butler sends the same once more, as a delivery of its own that names this one.",
    permission=_CHANGE,
    form=ActForm,
    perform=_send_again,
    applies=lambda notification: (
        not notification.is_unfinished and notification.channel.disabled_at is None
    ),
)
