"""Set how the balance of a credit is read."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from keys.models import ApiKey
from keys.reasons import check_reason
from keys.refusals import WrongValue
from keys.supply.base_urls import check_base_url
from security import audit
from security import services as security
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.balances.base import BalanceFormat
from treasury.balances.formats import FORMATS, SIMULATOR
from treasury.models import Account, AccountKind, BalanceAccess
from treasury.queries.consumption import provider_of
from treasury.refusals import WrongBalanceAccess

_TEAM = re.compile(r"[\w.-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class AccessTerms:
    """Where a balance is read, and how. `base_url`: empty for the usual one. `api_key`: whose
    secret is used, if no secret is given."""

    format: str
    base_url: str = ""
    team: str = ""
    api_key: str = ""


@sensitive_variables("secret")
@transaction.atomic(durable=True)
def set_balance_access(
    account_id: int, terms: AccessTerms, *, secret: str, reason: str, actor: Actor, now: datetime
) -> tuple[BalanceAccess, bool]:
    """Set how the balance of a credit is read; the access, and whether there was none.

    The secret is sealed for this row. Refusals: WrongValue, WrongBalanceAccess.
    """
    check_reason(reason)
    account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
    read, api_key = _check(account, terms, secret)
    access = BalanceAccess.objects.filter(credit_account=account).first()
    before = {"format": access.format, "base_url": access.base_url} if access else None
    access = access or BalanceAccess(credit_account=account)
    access.format, access.team, access.api_key = read.slug, terms.team.strip(), api_key
    access.base_url = _base_url(terms, read, api_key)
    access.set_by, access.set_at = str(actor), now
    access.sealed = None
    if secret:
        security.seal_into(access, "sealed", secret)
    access.save()
    audit.record(
        actor=actor,
        action=Action.BALANCE_ACCESS_SET,
        subject=f"account:{account.pk}",
        before=before,
        after={
            "format": access.format,
            "base_url": access.base_url,
            "secret": f"key:{api_key.slug}" if api_key else "entered" if secret else "none",
        },
        reason=reason,
        at=now,
    )
    return access, before is None


@transaction.atomic(durable=True)
def remove_balance_access(account_id: int, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Ask the provider no more, and forget the secret; whether it was asked."""
    check_reason(reason)
    if not BalanceAccess.objects.filter(credit_account=account_id).delete()[0]:
        return False
    audit.record(
        actor=actor,
        action=Action.BALANCE_ACCESS_REMOVE,
        subject=f"account:{account_id}",
        reason=reason,
        at=now,
    )
    return True


def _check(
    account: Account, terms: AccessTerms, secret: str
) -> tuple[BalanceFormat, ApiKey | None]:
    read = FORMATS.get(terms.format)
    if read is None:
        raise WrongBalanceAccess(f"There is no format of balances named {terms.format}.")
    if account.kind != AccountKind.CREDIT or account.currency != "USD":
        raise WrongBalanceAccess(f"{account} is no credit in USD.")
    _check_team(terms.team.strip(), is_needed=read.needs_team)
    if read.slug != SIMULATOR:
        return read, _key_for(account, read, terms, secret)
    if secret or terms.api_key:
        raise WrongBalanceAccess("The simulator takes no secret.")
    return read, None


def _key_for(
    account: Account, read: BalanceFormat, terms: AccessTerms, secret: str
) -> ApiKey | None:
    if bool(secret) == bool(terms.api_key):
        raise WrongBalanceAccess("Enter a secret, or choose an API key whose secret is used.")
    if not terms.api_key:
        return None
    if not read.takes_api_key:
        raise WrongBalanceAccess("This provider wants a key for administrators. Enter its secret.")
    return _api_key(account, terms.api_key)


def _check_team(team: str, *, is_needed: bool) -> None:
    if is_needed and not team:
        raise WrongBalanceAccess("Enter the provider's id of the team.")
    if not _TEAM.fullmatch(team):
        raise WrongBalanceAccess("The id of a team has letters, digits and hyphens only.")


def _api_key(account: Account, slug: str) -> ApiKey:
    key = ApiKey.objects.select_related("provider").filter(pk=slug).first()
    if key is None or key.provider_id != provider_of(account):
        raise WrongBalanceAccess(f"{provider_of(account)} has no API key named {slug}.")
    if key.sandbox or key.needs_secret:
        raise WrongBalanceAccess(f"{slug} has no secret for its provider.")
    return key


def _base_url(terms: AccessTerms, read: BalanceFormat, api_key: ApiKey | None) -> str:
    """The secret of an API key is sent to the host for which it was entered, and nowhere else."""
    url = (terms.base_url.strip() or read.base_url).rstrip("/")
    if read.slug == SIMULATOR:
        return ""
    try:
        url = check_base_url(url)
    except WrongValue as refusal:
        raise WrongBalanceAccess(refusal.detail) from refusal
    if api_key is not None and _origin(url) != _origin(api_key.url):
        raise WrongBalanceAccess(
            f"The secret of {api_key.slug} was entered for {_origin(api_key.url)}. It is sent "
            "nowhere else."
        )
    return url


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3]).lower()
