"""Put payees on the list of those who may be paid, and take them off it."""

from dataclasses import asdict, dataclass
from datetime import date, datetime

from django.db import transaction

from keys.models import Provider
from keys.reasons import check_reason
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import Account, AccountKind, Payee, PurchaseMethod
from treasury.queries.exchange_rates import rate_on
from treasury.rail_list import rail_named
from treasury.rails.base import Capability
from treasury.refusals import WrongPayee
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.exchange import no_rate

# A person or the provider pays from an account of which Butler knows no rail.
_PERSONS_CURRENCY, _PERSONS_SCALE = "USD", 2


@dataclass(frozen=True, kw_only=True)
class PayeeTerms:
    """Who may be paid: `destination` is how the rail names them, or the address a person opens.

    `currency`: what the credit is in, if the rail pays another one; blank: as the credit is in
    already, else as the rail pays.
    """

    slug: str
    provider: str
    method: str
    rail: str
    destination: str
    currency: str = ""


def propose_payee(
    terms: PayeeTerms, *, reason: str, actor: Actor, now: datetime
) -> tuple[Approval, bool]:
    """Ask a second person to put a payee on the list; returns the approval and whether it is new.

    Refusals: WrongValue, WrongPayee, RailNotFound.
    """
    check_reason(reason)
    _check(terms, now=now)
    with transaction.atomic(durable=True):
        return security.ask_approval(
            kind=PAYEE,
            subject=f"payee:{terms.slug}",
            change=asdict(terms),
            effect=_effect(terms, _credit_currency(terms)),
            reason=reason,
            actor=actor,
            now=now,
        )


@transaction.atomic(durable=True)
def retire_payee(slug: str, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Take a payee off the list; whether it was on it. What is under way is carried on."""
    check_reason(reason)
    if not Payee.objects.filter(pk=slug, retired_at=None).update(retired_at=now):
        return False
    audit.record(
        actor=actor, action=Action.PAYEE_RETIRE, subject=f"payee:{slug}", reason=reason, at=now
    )
    return True


def _effect(terms: PayeeTerms, currency: str) -> str:
    if terms.method == PurchaseMethod.VENDOR:
        return (
            f"{terms.provider} reloads its credit by itself from {terms.rail}, as it is set at "
            f"{terms.destination}. Butler books what it sees, and starts nothing."
        )
    pays = _rail_pays(terms)[0]
    return (
        f"{terms.destination} can be paid by {terms.rail} ({terms.method}) for credit of "
        f"{terms.provider}"
        + (f" in {currency}, in {pays} by the rate of each day" if pays != currency else "")
        + "."
    )


def _check(terms: PayeeTerms, *, now: datetime) -> None:
    if not terms.destination.strip():
        raise WrongPayee("Say where the payee gets the money.")
    if not Provider.objects.filter(pk=terms.provider).exists():
        raise WrongPayee(f"There is no provider named {terms.provider}.")
    if Payee.objects.filter(pk=terms.slug).exists():
        raise WrongPayee(f"There is already a payee named {terms.slug}. Choose another name.")
    is_play_money = _is_play_money(terms)
    _check_currency(terms, day=ledger_day(now))
    others = Payee.objects.filter(provider_id=terms.provider)
    if others.exclude(is_play_money=is_play_money).exists():
        raise WrongPayee(
            f"Credit of {terms.provider} is bought with "
            f"{'real' if is_play_money else 'play'} money. The two are not mixed."
        )


def _check_currency(terms: PayeeTerms, *, day: date) -> None:
    """A credit is bought in its own currency, or by a rate that is known."""
    currency, (pays, _) = _credit_currency(terms), _rail_pays(terms)
    if terms.currency and terms.currency != currency:
        raise WrongPayee(f"The credit of {terms.provider} is in {currency} already.")
    if pays == currency:
        return
    why = f"credit:{terms.provider} is in {currency}, and {terms.rail} pays {pays}."
    if terms.method != PurchaseMethod.RAIL:
        raise WrongPayee(why)
    if rate_on(pays, currency, day) is None:
        raise WrongPayee(f"{why} {no_rate(pays, currency, day)}")


def _credit_currency(terms: PayeeTerms) -> str:
    """That of the credit if there is one, else the one that is asked for, or that the rail pays."""
    names = [f"{kind}:{terms.provider}" for kind in ("credit", "transit")]
    there = Account.objects.filter(name__in=names).order_by("pk").first()
    return there.currency if there else terms.currency or _rail_pays(terms)[0]


def _rail_pays(terms: PayeeTerms) -> tuple[str, int]:
    """The currency that the rail pays, and its decimal places."""
    if terms.method != PurchaseMethod.RAIL:
        return _PERSONS_CURRENCY, _PERSONS_SCALE
    rail = rail_named(terms.rail)
    return rail.currency, rail.scale


def _is_play_money(terms: PayeeTerms) -> bool:
    if terms.method != PurchaseMethod.RAIL:
        return False
    rail = rail_named(terms.rail)
    if Capability.PAY not in rail.capabilities:
        raise WrongPayee(f"{terms.rail} cannot pay. It can: {', '.join(sorted(rail.capabilities))}")
    return rail.is_play_money


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    terms = PayeeTerms(**approval.change)
    try:
        _check(terms, now=now)
    except WrongPayee as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    currency, (pays, scale) = _credit_currency(terms), _rail_pays(terms)
    accounts = {
        f"{each.kind}_account": open_account(each, actor=actor, now=now)[0]
        for each in (
            AccountTerms(
                name=f"rail:{terms.rail}", kind=AccountKind.RAIL, currency=pays, scale=scale
            ),
            AccountTerms(
                name=f"transit:{terms.provider}", kind=AccountKind.TRANSIT, currency=currency
            ),
            AccountTerms(
                name=f"credit:{terms.provider}", kind=AccountKind.CREDIT, currency=currency
            ),
        )
    }
    Payee.objects.create(
        slug=terms.slug,
        provider_id=terms.provider,
        method=terms.method,
        rail=terms.rail,
        destination=terms.destination,
        is_play_money=_is_play_money(terms),
        approval=approval,
        asked_persons=approval.asked_persons,
        approved_persons=approval.decided_persons,
        created_at=now,
        **accounts,
    )
    audit.record(
        actor=actor,
        action=Action.PAYEE_ADD,
        subject=f"payee:{terms.slug}",
        after=asdict(terms),
        at=now,
    )


PAYEE = approvals.register(
    ApprovalKind(
        slug="payee",
        meaning="Somebody asked to put a payee on the list of those from whom credit can be "
        "bought. Approving lets purchase policies name it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
