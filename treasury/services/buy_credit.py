"""Buy credit by a policy when there is too little."""

from datetime import datetime

from django.db import transaction

from treasury.auto_buy import Decision, decide
from treasury.bounds import left, spent
from treasury.models import Purchase, PurchasePolicy
from treasury.queries.credit import effective_credit
from treasury.services.propose_purchase import propose
from treasury.services.purchase_alerts import tell_of_credit
from treasury.services.purchase_steps import BUYER, lock_policy


@transaction.atomic(durable=True)
def buy_credit(policy_id: int, *, now: datetime) -> tuple[Decision, Purchase | None]:
    """Propose what the policy buys now: the decision, and the purchase if it buys something.

    Many may call it at once: the policy is locked, and what is open counts as if it were there.
    Refusals: WrongPurchase when the payee is not on the list any more.
    """
    policy = lock_policy(policy_id)
    credit = effective_credit(policy)
    if credit >= policy.threshold and not policy.is_armed:
        # The crossing counts, not how long the credit has been below.
        policy.is_armed = True
        PurchasePolicy.objects.filter(pk=policy.pk).update(is_armed=True)
    decision = decide(
        policy,
        credit=credit,
        left=left(policy, spent(policy, now=now)),
        scale=policy.payee.scale,
        now=now,
    )
    if not decision.amount:
        if policy.is_automatic and not policy.purchases.open().exists():
            tell_of_credit(policy, credit, why=decision.why, now=now)
        return decision, None
    purchase = propose(
        policy, decision.amount, reason=decision.why, is_automatic=True, actor=BUYER, now=now
    )
    PurchasePolicy.objects.filter(pk=policy.pk).update(is_armed=False)
    return decision, purchase
