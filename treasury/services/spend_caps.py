"""Keep a provider's own limit of spending at what two persons have set."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables
from django_q.tasks import async_task

from alerts import services as alerts
from keys.reasons import check_reason
from keys.refusals import WrongValue
from keys.supply.base_urls import check_base_url
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from security.vault import CannotUnseal
from treasury.alert_kinds import SPEND_CAP_DIFFERS
from treasury.audit_actions import Action
from treasury.balances.caps import CAP_FORMATS, Cap, CapFormat
from treasury.models import Account, AccountKind, SpendCap
from treasury.refusals import WrongSpendCap
from treasury.vendor_calls import Unreadable, call

_ACTOR = Actor.job("spend caps")
_NOT_FOUND = 404


@dataclass(frozen=True)
class _Told:
    """What a provider says; `error` if it cannot be read, or could not be set."""

    cap: Cap | None
    error: str = ""


@sensitive_variables("secret")
@transaction.atomic(durable=True)
def set_cap_access(
    account_id: int,
    *,
    format_name: str,
    base_url: str = "",
    secret: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> SpendCap:
    """Store the admin key with which a provider's limit is read and set; sealed for this row.

    What two persons have set stays. Refusals: WrongValue, WrongSpendCap.
    """
    check_reason(reason)
    account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
    kind = CAP_FORMATS.get(format_name)
    if kind is None or account.kind != AccountKind.CREDIT or account.currency != "USD":
        raise WrongSpendCap("This provider has no limit that can be read or set by its API.")
    if not secret:
        raise WrongSpendCap("Enter the admin key.")
    url = (base_url.strip() or kind.base_url).rstrip("/")
    try:
        url = check_base_url(url)
    except WrongValue as refusal:
        raise WrongSpendCap(refusal.detail) from refusal
    cap = SpendCap.objects.filter(credit_account=account).first()
    cap = cap or SpendCap(credit_account=account)
    cap.format, cap.base_url, cap.error = kind.slug, url, ""
    cap.set_by, cap.set_at = str(actor), now
    security.seal_into(cap, "sealed", secret)
    cap.save()
    audit.record(
        actor=actor,
        action=Action.CAP_ACCESS_SET,
        subject=f"account:{account.pk}",
        after={"format": kind.slug, "base_url": url, "secret": "entered"},
        reason=reason,
        at=now,
    )
    return cap


@transaction.atomic(durable=True)
def propose_cap(
    account_id: int, amount: Decimal, *, reason: str, actor: Actor, now: datetime
) -> Approval:
    """Ask a second person to set the provider's limit of a month.

    Refusals: WrongValue, WrongSpendCap.
    """
    check_reason(reason)
    cap = SpendCap.objects.select_related("credit_account").filter(credit_account=account_id)
    found = cap.first()
    if found is None:
        raise WrongSpendCap("Enter the admin key of the provider first.")
    if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
        raise WrongSpendCap("The limit must be more than 0, in whole cents.")
    return security.ask_approval(
        kind=SPEND_CAP,
        subject=f"account:{account_id}",
        change={"account": account_id, "amount": format(amount, "f")},
        effect=f"The provider of {found.credit_account} refuses calls of a month beyond "
        f"{amount:f} USD, also those that Butler would allow.",
        reason=reason,
        actor=actor,
        now=now,
    )[0]


def ask_cap(account_id: int) -> None:
    """Have the provider's limit looked at soon."""
    async_task("treasury.jobs.keep_cap", account_id)


def keep_cap(account_id: int, *, now: datetime) -> SpendCap:
    """Read the provider's limit, and set it if it is not what two persons have set.

    No transaction is open while the provider is asked. Raises SpendCap.DoesNotExist.
    """
    cap = SpendCap.objects.get(credit_account=account_id)
    kind = CAP_FORMATS[cap.format]
    told = _read(cap, kind)
    if told.cap is not None and cap.wanted is not None and told.cap.amount != cap.wanted:
        error = _write(cap, kind, cap.wanted)
        told = _read(cap, kind)
        told = _Told(told.cap, error or told.error)
    return _store(account_id, told, now=now)


@sensitive_variables("secret")
def _read(cap: SpendCap, kind: CapFormat) -> _Told:
    try:
        secret = security.unseal_from(cap, "sealed")
    except CannotUnseal as refusal:
        return _Told(None, str(refusal)[:300])
    url, networks = cap.base_url + kind.path, settings.PROVIDER_NETWORKS
    answer = call("GET", url, headers=kind.headers(secret), networks=networks)
    if answer.status == _NOT_FOUND:
        return _Told(Cap(None, is_enforced=False))
    if answer.status != 200:
        return _Told(None, f"The limit cannot be read: {_words(answer.status, answer.error)}.")
    try:
        return _Told(kind.read(answer.json()))
    except Unreadable as error:
        return _Told(None, str(error)[:300])


@sensitive_variables("secret", "headers")
def _write(cap: SpendCap, kind: CapFormat, wanted: Decimal) -> str:
    """Why the limit could not be set; empty if it was. The same limit may be set twice."""
    secret = security.unseal_from(cap, "sealed")
    headers = kind.headers(secret) | {"Content-Type": "application/json"}
    body = json.dumps(kind.body(int(wanted * 100))).encode()
    url, networks = cap.base_url + kind.path, settings.PROVIDER_NETWORKS
    answer = call("POST", url, headers=headers, body=body, networks=networks)
    if answer.status is not None and 200 <= answer.status < 300:
        return ""
    return f"The limit cannot be set: {_words(answer.status, answer.error)}."


def _words(status: int | None, error: str) -> str:
    return f"HTTP {status}" if status else error


@transaction.atomic(durable=True)
def _store(account_id: int, told: _Told, *, now: datetime) -> SpendCap:
    cap = SpendCap.objects.select_for_update(no_key=True, of=("self",)).get(
        credit_account=account_id
    )
    before = cap.told
    if told.cap is not None:
        cap.told, cap.is_enforced, cap.told_at = told.cap.amount, told.cap.is_enforced, now
    cap.error = told.error
    cap.save(update_fields=["told", "is_enforced", "told_at", "error"])
    if cap.told != before:
        audit.record(
            actor=_ACTOR,
            action=Action.CAP_TOLD,
            subject=f"account:{account_id}",
            before={"limit": before},
            after={"limit": cap.told, "wanted": cap.wanted},
            at=now,
        )
    _tell(cap, now=now)
    return cap


def _tell(cap: SpendCap, *, now: datetime) -> None:
    """Raise or resolve the alert of a limit that is not as it was set."""
    dedup_key = f"{SPEND_CAP_DIFFERS.slug}:{cap.credit_account_id}"
    if not cap.error and (cap.wanted is None or cap.told == cap.wanted):
        alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="Both are the same.", now=now)
        return
    said = "none" if cap.told is None else f"{cap.told:.2f} USD"
    wanted = "none" if cap.wanted is None else f"{cap.wanted:.2f} USD"
    alerts.raise_alert(
        kind=SPEND_CAP_DIFFERS,
        dedup_key=dedup_key,
        title=f"The provider's limit of {cap.credit_account} is not as it was set",
        detail=f"Set by two persons: {wanted}. By the provider: {said}. {cap.error}".strip(),
        facts={"account_id": cap.credit_account_id},
        now=now,
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    cap = (
        SpendCap.objects.select_for_update(no_key=True)
        .filter(credit_account=approval.change["account"])
        .first()
    )
    if cap is None:
        raise ApprovalOutdated("The admin key of the provider is gone.")
    before = cap.wanted
    cap.wanted, cap.approval = Decimal(approval.change["amount"]), approval
    cap.asked_persons, cap.approved_persons = approval.asked_persons, approval.decided_persons
    cap.save(update_fields=["wanted", "approval", "asked_persons", "approved_persons"])
    audit.record(
        actor=actor,
        action=Action.CAP_SET,
        subject=f"account:{cap.credit_account_id}",
        before={"limit": before},
        after={"limit": cap.wanted},
        at=now,
    )
    ask_cap(cap.credit_account_id)


SPEND_CAP = approvals.register(
    ApprovalKind(
        slug="spend_cap",
        meaning="Somebody asked to set the limit of spending that a provider keeps itself. "
        "Approving sets it; beyond it, the provider refuses calls.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
