"""The treasury of the demo fleet: play money, a payee and a policy, which two persons have set."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from security import services as security
from security.actor import Actor
from security.models import Approval
from treasury import services as treasury
from treasury.models import Account, Payee, Purchase, PurchasePolicy

_FILE = Path(__file__).parent / "data" / "demo_treasury.json"
_REASON = "demo fleet"
# Approved, reserved, sent, settled.
_STEPS = 4


def load(*, now: datetime) -> bool:
    """Set up the simulator's payee, its policy and its money, from which Butler then buys credit.

    Only if there is no payee yet: a second call changes nothing. Returns whether it did anything.
    Refusals: RailNotFound, if the simulator does not run.
    """
    if Payee.objects.exists():
        return False
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    asker, decider = (_person(about) for about in data["people"])
    approval, _ = treasury.propose_payee(
        treasury.PayeeTerms(**data["payee"]), reason=_REASON, actor=asker, now=now
    )
    _approve(approval, decider, now=now)
    approval, _ = treasury.propose_policy(_terms(data), reason=_REASON, actor=asker, now=now)
    _approve(approval, decider, now=now)
    _read_balances(data["payee"], actor=asker, now=now)
    funding = data["funding"]
    treasury.record_funding(
        Account.objects.get(name=funding["account"]),
        Decimal(funding["amount"]),
        reference=funding["reference"],
        key=uuid5(NAMESPACE_URL, funding["reference"]),
        actor=asker,
        now=now,
    )
    _buy(now=now)
    return True


def _read_balances(payee: dict[str, str], *, actor: Actor, now: datetime) -> None:
    """Have the simulator asked for the credit, as a provider is."""
    treasury.set_balance_access(
        Account.objects.get(name=f"credit:{payee['provider']}").pk,
        treasury.AccessTerms(format="simulator", team=payee["destination"]),
        secret="",
        reason=_REASON,
        actor=actor,
        now=now,
    )


def _buy(*, now: datetime) -> None:
    """Buy the first credit, as the jobs do: so the page shows a purchase from the beginning."""
    for policy in PurchasePolicy.objects.all():
        treasury.post_consumption(policy.credit_account, now=now)
        treasury.buy_credit(policy.pk, now=now)
    for purchase in Purchase.objects.all():
        for _ in range(_STEPS):
            treasury.advance_purchase(purchase.pk, now=now)


def _person(about: dict[str, str]) -> Actor:
    """A person with one role who cannot sign in: without a password."""
    person, is_new = get_user_model().objects.get_or_create(
        username=about["username"],
        defaults={"first_name": about["name"], "is_staff": True},
    )
    if is_new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
        person.groups.set(Group.objects.filter(name=about["role"]))
    return Actor.person(person.get_username())


def _terms(data: dict[str, Any]) -> treasury.BuyingTerms:
    amounts: dict[str, Any] = {name: Decimal(text) for name, text in data["policy"].items()}
    return treasury.BuyingTerms(payee=data["payee"]["slug"], **amounts)


def _approve(approval: Approval, decider: Actor, *, now: datetime) -> None:
    security.approve(approval.pk, reason=_REASON, actor=decider, now=now)
