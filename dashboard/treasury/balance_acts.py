"""What people may do with the balance of a provider's credit."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from keys.models import ApiKey
from keys.supply.known_providers import without_account
from security.actor import Actor
from treasury import services as treasury
from treasury.balances.caps import CAP_FORMATS
from treasury.balances.formats import FORMATS, usual_format
from treasury.models import Account, AccountKind
from treasury.queries.consumption import provider_of
from treasury.services import AccessTerms

_PROPOSE = "treasury.propose_purchase"
_ACCESS = "treasury.change_balanceaccess"


class AccessForm(ActForm):
    """Asks where the balance is read, and with which secret."""

    format = forms.ChoiceField(help_text="The provider. Others tell no balance by their API.")
    base_url = forms.URLField(
        label="Base URL",
        required=False,
        assume_scheme="https",
        help_text="Leave it empty for the provider's usual one.",
    )
    team = forms.CharField(
        required=False,
        max_length=100,
        help_text="The provider's id of your team; for the simulator, the name of the payee there.",
    )
    api_key = forms.ChoiceField(
        label="API key",
        required=False,
        help_text="The key whose secret is used, where the provider takes one that agents use.",
    )
    secret = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Otherwise the secret of a key for administrators. Butler stores it sealed, "
        "sends it to this provider alone, and never shows it again.",
    )
    field_order = ("format", "base_url", "team", "api_key", "secret", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        provider = provider_of(subject)
        kwargs.setdefault("initial", {})["format"] = usual_format(provider)
        super().__init__(subject, *args, **kwargs)
        formats = [(each.slug, each.name) for each in FORMATS.values()]
        keys = ApiKey.objects.filter(provider_id=provider).values_list("slug", flat=True)
        self.fields["format"].choices = formats  # type: ignore[attr-defined]
        self.fields["api_key"].choices = [("", "none"), *((slug, slug) for slug in keys)]  # type: ignore[attr-defined]


class ExpiringForm(NoQuestions):
    """Asks what expires, and when."""

    amount = forms.DecimalField(
        max_digits=20, decimal_places=2, help_text="How much of the credit ends then."
    )
    expires_at = forms.DateTimeField(
        label="Ends (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="The moment from which it cannot be used any more.",
    )
    is_granted = forms.BooleanField(
        label="The provider gave it",
        required=False,
        help_text="Otherwise it was bought, and is a part of the credit in the ledger.",
    )
    reference = forms.CharField(max_length=200, help_text="How the provider names it.")

    def clean_expires_at(self) -> datetime:
        """The moment in UTC, in whichever zone the person works."""
        given: datetime = self.cleaned_data["expires_at"]
        return given.replace(tzinfo=timezone.get_default_timezone())


class CapAccessForm(ActForm):
    """Asks for the admin key."""

    format_name = forms.ChoiceField(
        label="Provider",
        choices=[(each.slug, each.name) for each in CAP_FORMATS.values()],
        help_text="Others have no limit that can be set by their API.",
    )
    secret = forms.CharField(
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="The admin key. Butler stores it sealed, sends it to this provider alone, and "
        "never shows it again.",
    )
    field_order = ("format_name", "secret", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {})["format_name"] = without_account(provider_of(subject))
        super().__init__(subject, *args, **kwargs)


class CapForm(ActForm):
    """Asks how much."""

    amount = forms.DecimalField(
        max_digits=20,
        decimal_places=2,
        min_value=0,
        help_text="The most that the provider lets the organisation spend in a month, in USD.",
    )
    field_order = ("amount", "reason")


@sensitive_variables("asked", "secret")
def _watch_cap(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.set_cap_access(account.pk, actor=actor, now=now, **asked)
    treasury.ask_cap(account.pk)
    return "The provider is asked for its limit now, and every hour."


def _cap(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked.pop("amount")
    return treasury.propose_cap(account.pk, amount, actor=actor, now=now, **asked)


def _has_cap(account: Account) -> bool:
    return _is_credit(account) and hasattr(account, "spend_cap")


@sensitive_variables("asked", "secret")
def _set_access(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    secret, reason = asked.pop("secret"), asked.pop("reason")
    treasury.set_balance_access(
        account.pk, AccessTerms(**asked), secret=secret, reason=reason, actor=actor, now=now
    )
    treasury.ask_balance(account.pk)
    return "The provider is asked now, and every 15 minutes."


def _remove(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.remove_balance_access(account.pk, reason=asked["reason"], actor=actor, now=now)
    return "The provider is asked no more. What it said stays."


def _read(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.ask_balance(account.pk)
    return "The provider is being asked. Load this page again to see its answer."


def _adopt(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    return treasury.propose_adoption(account.pk, reason=asked["reason"], actor=actor, now=now)[0]


def _expiring(account: Account, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked.pop("amount")
    row, _ = treasury.record_expiring_credit(account.pk, amount, actor=actor, now=now, **asked)
    return f"{row.account} is used before all other credit."


def _is_credit(account: Account) -> bool:
    return account.kind == AccountKind.CREDIT


def _is_read(account: Account) -> bool:
    return _is_credit(account) and hasattr(account, "balance_access")


CREDIT_ACTS = [
    Act(
        name="read",
        button="Read the balance",
        about="Butler asks the provider now. It also does so every 15 minutes.",
        permission=_PROPOSE,
        form=NoQuestions,
        applies=_is_read,
        perform=_read,
    ),
    Act(
        name="adopt",
        button="Take over the figure",
        about="A second person sets the ledger to what the provider says. The first time this is "
        "the opening balance; later the difference counts as unexplained.",
        permission=_PROPOSE,
        applies=_is_read,
        perform=_adopt,
    ),
    Act(
        name="expiring",
        button="Record credit that expires",
        about="It gets an account of its own, is used before all other credit, and what is left of "
        "it at its end is posted as expired.",
        permission=_PROPOSE,
        form=ExpiringForm,
        applies=_is_credit,
        perform=_expiring,
    ),
    Act(
        name="cap",
        button="Set its limit",
        about="A second person sets the limit that the provider itself keeps: a second fence, "
        "behind the books. Beyond it the provider refuses calls, also those Butler would allow.",
        permission=_PROPOSE,
        form=CapForm,
        applies=_has_cap,
        perform=_cap,
    ),
    Act(
        name="cap-access",
        button="Watch its limit",
        about="Butler reads the monthly limit that the provider keeps itself, and sets what two "
        "persons decide.",
        permission=_ACCESS,
        form=CapAccessForm,
        is_confirmed=True,
        applies=lambda account: (
            _is_credit(account) and without_account(provider_of(account)) in CAP_FORMATS
        ),
        perform=_watch_cap,
    ),
    Act(
        name="access",
        button="Set how it is read",
        about="Butler asks the provider for the balance of this credit, and compares it with the "
        "ledger. Nothing is bought with this secret.",
        permission=_ACCESS,
        form=AccessForm,
        is_confirmed=True,
        applies=_is_credit,
        perform=_set_access,
    ),
    Act(
        name="no-access",
        button="Ask no more",
        about="Butler forgets the secret and does not ask this provider any more.",
        permission=_ACCESS,
        applies=_is_read,
        perform=_remove,
    ),
]
