"""Who asks, who decides, and the policies of tests of approvals."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from security import approvals
from security import services as security
from tests.actors import ACTOR
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
