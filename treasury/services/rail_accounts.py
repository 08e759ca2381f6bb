"""Set up rails: connect an account with a vendor, switch it on by two persons, switch it off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from keys.reasons import check_reason
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.audit_actions import Action
from treasury.models import Payee, RailAccount
from treasury.rail_list import KINDS, SIMULATOR, connect
from treasury.rails.base import Mode
from treasury.rails.kinds import RailKind
from treasury.refusals import RailNotFound, WrongRail

_TESTED_WELL = "The vendor answers."


@dataclass(frozen=True, kw_only=True)
class RailTerms:
    """A new rail account: its name, its vendor, whether its money is real, and its settings."""

    slug: str
    kind: str
    mode: str
    settings: Mapping[str, str]


@sensitive_variables("secret", "webhook_secret")
@transaction.atomic(durable=True)
def add_rail_account(
    terms: RailTerms, *, secret: str, webhook_secret: str = "", actor: Actor, now: datetime
) -> RailAccount:
    """Add a rail account, switched off. Its secrets are sealed. Refusals: WrongRail."""
    kind = _kind(terms.kind)
    if terms.mode not in kind.urls and kind.slug not in django_settings.RAIL_URLS:
        raise WrongRail(f"{kind.title} has no {terms.mode}: choose another mode.")
    if terms.slug == SIMULATOR or RailAccount.objects.filter(pk=terms.slug).exists():
        raise WrongRail(f"There is already a rail named {terms.slug}. Choose another name.")
    if Payee.objects.filter(rail=terms.slug).exists():
        raise WrongRail(f"Payees are paid from an account named {terms.slug}. Choose another name.")
    account = RailAccount(
        slug=terms.slug,
        kind=kind.slug,
        mode=Mode(terms.mode),
        settings=_settings(kind, terms.settings),
        created_at=now,
    )
    _seal(account, kind, secret=secret, webhook_secret=webhook_secret, now=now)
    account.save(force_insert=True)
    _record(account, Action.RAIL_ADD, actor=actor, now=now)
    return account


@transaction.atomic(durable=True)
def change_rail_settings(
    slug: str, settings: Mapping[str, str], *, actor: Actor, now: datetime
) -> RailAccount:
    """Change what is not secret, which switches the rail off. Refusals: RailNotFound, WrongRail."""
    account = _lock(slug)
    before = _values(account)
    settings = _settings(_kind(account.kind), settings)
    if settings != account.settings:
        account.settings, account.enabled_at = settings, None
        account.save(update_fields=["settings", "enabled_at"])
        _record(account, Action.RAIL_CHANGE, before, actor=actor, now=now)
    return account


@sensitive_variables("secret", "webhook_secret")
@transaction.atomic(durable=True)
def replace_rail_secret(
    slug: str, *, secret: str = "", webhook_secret: str = "", actor: Actor, now: datetime
) -> RailAccount:
    """Replace the secrets that are given. Another secret may be another account, so the rail is
    switched off; one of webhooks only says what is believed, so it stays on.

    Refusals: RailNotFound, WrongRail.
    """
    account = _lock(slug)
    before = _values(account)
    kind = _kind(account.kind)
    _seal(account, kind, secret=secret, webhook_secret=webhook_secret, now=now)
    if secret:
        account.enabled_at = None
    account.last_error, account.last_error_at = "", None
    account.save(
        update_fields=[
            *("sealed_secret", "sealed_webhook_secret", "secret_changed_at", "enabled_at"),
            *("last_error", "last_error_at"),
        ]
    )
    _record(account, Action.RAIL_REPLACE_SECRET, before, actor=actor, now=now)
    return account


@transaction.atomic(durable=True)
def propose_rail(slug: str, *, reason: str, actor: Actor, now: datetime) -> Approval:
    """Ask a second person to switch the rail on. Refusals: WrongValue, RailNotFound, WrongRail."""
    check_reason(reason)
    account = _lock(slug)
    if account.enabled_at:
        raise WrongRail(f"The rail {slug} is switched on already.")
    if account.sealed_secret is None:
        raise WrongRail("Enter the secret of the rail first.")
    money = "play money" if account.is_play_money else "REAL money"
    approval, _ = security.ask_approval(
        kind=RAIL,
        subject=account.address,
        change=_terms(account),
        effect=f"{slug} ({_kind(account.kind).title}) moves {money}.",
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


@transaction.atomic(durable=True)
def switch_rail_off(slug: str, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Switch the rail off; whether it was on. What is under way is still read. Refusals:
    RailNotFound."""
    check_reason(reason)
    account = _lock(slug)
    if account.enabled_at is None:
        return False
    before = _values(account)
    account.enabled_at = None
    account.save(update_fields=["enabled_at"])
    _record(account, Action.RAIL_SWITCH_OFF, before, actor=actor, now=now, reason=reason)
    return True


def test_rail(slug: str, *, actor: Actor, now: datetime) -> RailAccount:
    """Ask the vendor for the balance, which moves nothing, and write down whether it answered.

    It works on a rail that is switched off. Refusals: RailNotFound.
    """
    account = RailAccount.objects.filter(pk=slug).first()
    if account is None:
        raise RailNotFound(rail=slug)
    problem = connect(account).problem()
    with transaction.atomic(durable=True):
        account = _lock(slug)
        account.tested_at = now
        account.last_error, account.last_error_at = problem[:300], now if problem else None
        account.save(update_fields=["tested_at", "last_error", "last_error_at"])
        after = {"answer": problem or _TESTED_WELL}
        audit.record(
            actor=actor, action=Action.RAIL_TEST, subject=account.address, after=after, at=now
        )
    return account


def _kind(slug: str) -> RailKind:
    if slug not in KINDS:
        raise WrongRail(f"There is no kind of rail named {slug}.")
    return KINDS[slug]


def _settings(kind: RailKind, given: Mapping[str, str]) -> dict[str, str]:
    known = {setting.name for setting in kind.settings}
    if unknown := sorted(set(given) - known):
        raise WrongRail(f"{kind.title} has no setting named {unknown[0]}.")
    settings = {name: value.strip() for name, value in given.items() if value.strip()}
    for setting in kind.settings:
        if setting.is_required and setting.name not in settings:
            raise WrongRail(f"{setting.label} is missing. {setting.help_text}")
    return settings


@sensitive_variables()
def _seal(
    account: RailAccount, kind: RailKind, *, secret: str, webhook_secret: str, now: datetime
) -> None:
    secret, webhook_secret = secret.strip(), webhook_secret.strip()
    starts = kind.starts_with.get(Mode(account.mode), ())
    if secret and starts and not secret.startswith(starts):
        raise WrongRail(
            f"A secret of {kind.title} in mode {account.mode} begins with {' or '.join(starts)}."
        )
    if secret:
        security.seal_into(account, "sealed_secret", secret)
        account.secret_changed_at = now
    if webhook_secret:
        security.seal_into(account, "sealed_webhook_secret", webhook_secret)


def _lock(slug: str) -> RailAccount:
    account = RailAccount.objects.select_for_update().filter(pk=slug).first()
    if account is None or account.kind not in KINDS:
        raise RailNotFound(rail=slug)
    return account


def _terms(account: RailAccount) -> dict[str, Any]:
    """What is approved: another secret is another moment."""
    return {
        "rail": account.slug,
        "mode": account.mode,
        "settings": account.settings,
        "secret_changed_at": str(account.secret_changed_at),
    }


def _values(account: RailAccount) -> dict[str, Any]:
    return {
        "kind": account.kind,
        "mode": account.mode,
        **account.settings,
        "on": account.enabled_at is not None,
    }


def _record(
    account: RailAccount,
    action: Action,
    before: dict[str, Any] | None = None,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=account.address,
        before=before,
        after=_values(account),
        reason=reason,
        at=now,
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    account = _lock(approval.change["rail"])
    if account.enabled_at or _terms(account) != approval.change:
        raise ApprovalOutdated("The rail was changed after this was asked for.")
    before = _values(account)
    account.enabled_at, account.approval = now, approval
    account.asked_persons = approval.asked_persons
    account.approved_persons = approval.decided_persons
    account.save(update_fields=["enabled_at", "approval", "asked_persons", "approved_persons"])
    _record(account, Action.RAIL_SWITCH_ON, before, actor=actor, now=now)


RAIL = approvals.register(
    ApprovalKind(
        slug="rail",
        meaning="Somebody asked to switch on a rail, which moves money. Approving lets Butler pay "
        "and collect by it, within the policies.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
