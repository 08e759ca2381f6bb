"""What people may do with rails: connect them, test them, switch them on and off, collect."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.views.decorators.debug import sensitive_variables

from dashboard.acts import Act, ActForm, NoQuestions, Outcome, Perform
from dashboard.treasury.payout_acts import ASK_PAYOUT
from security.actor import Actor
from treasury import services as treasury
from treasury.models import RailAccount, RailMode
from treasury.queries import RailKind, rail_kind, rail_kinds
from treasury.services import RailTerms

_MANAGE, _PROPOSE = "treasury.manage_rails", "treasury.propose_purchase"
_SECRETS = ("secret", "webhook_secret")


def _not_a_persons_name() -> forms.TextInput:
    """Browsers take a text beside a password for the name of a person."""
    return forms.TextInput(attrs={"autocomplete": "off"})


def _secret_field(help_text: str, *, label: str, is_required: bool) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=is_required,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=f"{help_text} Butler stores it sealed and never shows it again.",
    )


def _secret_fields(kind: RailKind, *, is_required: bool) -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {
        "secret": _secret_field(kind.key_help, label="Secret", is_required=is_required)
    }
    if kind.webhook_help:
        fields["webhook_secret"] = _secret_field(
            kind.webhook_help, label="Webhook secret", is_required=False
        )
    return fields


def _setting_fields(kind: RailKind) -> dict[str, forms.Field]:
    return {
        setting.name: forms.CharField(
            label=setting.label,
            required=setting.is_required,
            max_length=300,
            widget=_not_a_persons_name(),
            help_text=setting.help_text,
        )
        for setting in kind.settings
    }


def _connect_form(kind: RailKind) -> type[NoQuestions]:
    class ConnectForm(NoQuestions):
        slug = forms.SlugField(
            label="Name",
            max_length=40,
            initial=kind.slug,
            widget=_not_a_persons_name(),
            help_text="The name of the rail. It cannot be changed.",
        )
        mode = forms.ChoiceField(
            choices=RailMode.choices, help_text="Whether it moves real money. It cannot be changed."
        )

        def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(subject, *args, **kwargs)
            self.fields |= {**_secret_fields(kind, is_required=True), **_setting_fields(kind)}

    return ConnectForm


class SettingsForm(NoQuestions):
    """Asks for what is not secret."""

    def __init__(self, subject: RailAccount, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = subject.settings
        super().__init__(subject, *args, **kwargs)
        self.fields |= _setting_fields(rail_kind(subject))


class SecretForm(NoQuestions):
    """Asks for other secrets; what is left empty stays as it is."""

    def __init__(self, subject: RailAccount, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields |= _secret_fields(rail_kind(subject), is_required=False)

    def clean(self) -> dict[str, Any]:
        """One of them is entered."""
        asked: dict[str, Any] = super().clean() or {}
        if not any(asked.get(name) for name in _SECRETS):
            raise forms.ValidationError("Enter a secret.")
        return asked


class CollectForm(NoQuestions):
    """Asks how much, and what for."""

    amount = forms.DecimalField(
        min_value=0, max_digits=20, decimal_places=2, help_text="What the payer is asked for."
    )
    purpose = forms.CharField(max_length=100, help_text="What the payer reads.")
    # Sent twice, it is asked for once.
    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)


@sensitive_variables()
def _connect(kind: RailKind, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    names = [setting.name for setting in kind.settings]
    terms = RailTerms(
        slug=asked["slug"],
        kind=kind.slug,
        mode=asked["mode"],
        settings={name: asked[name] for name in names},
    )
    secrets = {name: asked.get(name, "") for name in _SECRETS}
    account = treasury.add_rail_account(terms, **secrets, actor=actor, now=now)
    return f"{account} was added, switched off. Test the connection, then ask to switch it on."


def _change(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.change_rail_settings(account.pk, asked, actor=actor, now=now)
    return "The settings are as you have entered them."


@sensitive_variables()
def _replace(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    secrets = {name: asked.get(name, "") for name in _SECRETS}
    treasury.replace_rail_secret(account.pk, **secrets, actor=actor, now=now)
    return "The secret is replaced. Test the connection."


def _test(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    tested = treasury.test_rail(account.pk, actor=actor, now=now)
    return tested.last_error or "The vendor answers, and takes the secret."


def _on(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    return treasury.propose_rail(account.pk, reason=asked["reason"], actor=actor, now=now)


def _off(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.switch_rail_off(account.pk, reason=asked["reason"], actor=actor, now=now)
    return "The rail is switched off: nothing is paid or collected by it."


def _collect(account: RailAccount, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    collection = treasury.collect(account.pk, **asked, actor=actor, now=now)
    return f"Collection {collection.pk} is {collection.get_status_display()}."


def _connecting(kind: RailKind) -> Perform:
    def perform(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        return _connect(kind, asked, actor, now)

    return perform


def connect_acts() -> list[Act]:
    """One for each vendor."""
    return [
        Act(
            name=f"connect-{kind.slug}",
            button=f"Connect {kind.title}",
            about=f"{kind.about} The rail is switched off at first.",
            permission=_MANAGE,
            form=_connect_form(kind),
            perform=_connecting(kind),
        )
        for kind in rail_kinds()
    ]


RAIL_ACTS = [
    ASK_PAYOUT,
    Act(
        name="collect",
        button="Collect",
        about="Asks a payer for money, once. A saved card of the rail is charged at once; "
        "otherwise the collection has the address where the payer pays.",
        permission=_PROPOSE,
        form=CollectForm,
        perform=_collect,
        applies=lambda account: (
            account.enabled_at is not None and "collect" in rail_kind(account).capabilities
        ),
    ),
    Act(
        name="test",
        button="Test connection",
        about="Butler asks the vendor whether it takes the secret. No money moves.",
        permission=_MANAGE,
        form=NoQuestions,
        perform=_test,
    ),
    Act(
        name="settings",
        button="Settings",
        about="Another setting switches the rail off, because a second person has approved it with "
        "the settings it had.",
        permission=_MANAGE,
        form=SettingsForm,
        perform=_change,
        applies=lambda account: bool(rail_kind(account).settings),
    ),
    Act(
        name="secret",
        button="Replace secret",
        about="What you leave empty stays as it is. Another secret may be that of another account, "
        "so it switches the rail off.",
        permission=_MANAGE,
        form=SecretForm,
        perform=_replace,
    ),
    Act(
        name="on",
        button="Switch on",
        about="A second person approves it, for the secret and the settings that it has now.",
        permission=_MANAGE,
        perform=_on,
        applies=lambda account: account.enabled_at is None,
    ),
    Act(
        name="off",
        button="Switch off",
        about="Nothing is paid or collected by it any more. What was sent before is still read.",
        permission=_MANAGE,
        form=ActForm,
        perform=_off,
        applies=lambda account: account.enabled_at is not None,
    ),
]
