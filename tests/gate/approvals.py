"""Who asks, who decides, and the policies of tests of approvals."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from gate import services as gate
from security import approvals
from security import services as security
from security.actor import Actor
from tests.actors import ACTOR
from tests.keys.builders import limit
from tests.moments import NOON

DECIDE = ("decide_approval", "decide_budget_request")


def person(name, *, email=None, may_decide=True):
    """A user who may sign in to the admin, with a mailbox of the same name."""
    email = f"{name}@example.org" if email is None else email
    user = get_user_model().objects.create_user(name, email, is_staff=True)
    if may_decide:
        user.user_permissions.set(Permission.objects.filter(codename__in=DECIDE))
    return user


def in_force(kind, **terms):
    """Put a policy in force; two persons must be able to decide."""
    return security.propose_policy(
        approvals.kind_of(kind),
        terms=security.PolicyTerms(**terms),
        reason="test",
        actor=ACTOR,
        now=NOON,
    )


def budget_request(agent):
    """A request of the agent for a higher daily limit, which it gets for that."""
    limit(agent, 500_000)
    now = timezone.now()
    request = gate.BudgetRequest(
        scope=f"agent:{agent.pk}",
        unit="tokens",
        period="day",
        amount=1_000,
        until=now + timedelta(hours=1),
        reason="more work",
    )
    actor = Actor.agent(agent.pk)
    return gate.request_budget(agent.pk, request, idempotency_key=None, actor=actor, now=now)[0]
