"""Payees, policies and purchases for tests."""

from datetime import timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from keys.models import Provider
from security import services as security
from security.actor import Actor
from security.models import Approval
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import entry
from treasury import services as treasury
from treasury.models import Account, AccountKind, Purchase, PurchasePolicy
from treasury.services import AccountTerms, BuyingTerms, PayeeTerms

FINN, DORA = Actor.person("finn"), Actor.person("dora")
SIMULATED_RAIL, SIMULATED_CREDIT, SIMULATED_TRANSIT = (
    "rail:simulator",
    "credit:openai",
    "transit:openai",
)
MINUTE = timedelta(minutes=1)


def make_decider(name: str = "dora") -> None:
    """A person who decides purchases."""
    user = get_user_model().objects.create_user(name, f"{name}@example.org", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["decide_purchase", "decide_approval"])
    )


def approve(approval: Approval, *, by: Actor = DORA, now=NOON) -> Approval:
    """A second person says yes."""
    return security.approve(approval.pk, actor=by, now=now)


def add_payee(slug: str = "openai", **changes) -> None:
    """A payee of the provider OpenAI, whom the simulator pays."""
    Provider.objects.get_or_create(slug="openai", defaults={"name": "OpenAI"})
    terms = {
        "slug": slug,
        "provider": "openai",
        "method": "rail",
        "rail": "simulator",
        "destination": "openai",
    } | changes
    approve(treasury.propose_payee(PayeeTerms(**terms), reason="x", actor=FINN, now=NOON)[0])


def set_policy(**changes) -> PurchasePolicy:
    """Buy at less than 100 up to 300: 200 at once, 400 a day, 1000 a month; none by two persons."""
    approve(propose_policy(**changes)[0])
    return PurchasePolicy.objects.get(credit_account__name=SIMULATED_CREDIT)


def propose_policy(**changes):
    """Ask for the policy of `set_policy`."""
    terms = {
        "payee": "openai",
        "threshold": Decimal(100),
        "target": Decimal(300),
        "per_purchase_max": Decimal(200),
        "daily_max": Decimal(400),
        "monthly_max": Decimal(1000),
        "approval_above": Decimal(500),
    } | changes
    return treasury.propose_policy(BuyingTerms(**terms), reason="x", actor=FINN, now=NOON)


@transaction.atomic
def fund(amount: str, name: str = SIMULATED_RAIL) -> None:
    """The ledger learns of money on the rail."""
    terms = AccountTerms(name="funding", kind=AccountKind.FUNDING, currency="USD")
    treasury.open_account(terms, actor=ACTOR, now=NOON)
    treasury.transfer([entry(name, "funding", amount)], actor=ACTOR, now=NOON)


def propose(amount="40.00", *, by: Actor = FINN, now=NOON) -> Purchase:
    """Propose a purchase by the one policy."""
    policy = PurchasePolicy.objects.get()
    return treasury.propose_purchase(policy.pk, Decimal(amount), reason="needed", actor=by, now=now)


def carry_on(purchase: Purchase, *, now=NOON, steps: int = 6) -> Purchase:
    """Do what the job does, all at one moment."""
    for _ in range(steps):
        purchase = treasury.advance_purchase(purchase.pk, now=now)
    return purchase


def pending_on(name: str = SIMULATED_RAIL) -> Decimal:
    """What is set aside on an account."""
    return Account.objects.get(name=name).credits_pending
