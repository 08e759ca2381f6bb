"""The persons whom alerts reach: by roles, by name, and those who may decide an approval."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from alerts import recipients
from alerts.models import Alert
from gate import roles
from gate.alert_kinds import APPROVAL_OVERDUE, APPROVAL_WAITING
from gate.models import CentreBinding
from keys.models import Agent, CostCentre
from security.approvals import all_kinds
from security.deciders import is_decider
from security.delegations import is_deputy
from security.models import Approval

_PERMISSIONS = "django.contrib.auth.backends.ModelBackend"
_VIEW = "alerts.view_alert"
_OF_APPROVALS = (APPROVAL_WAITING.slug, APPROVAL_OVERDUE.slug)


class People:
    """Finds them in the tables of persons, roles and bindings."""

    def holders(
        self, *, roles: Collection[str], persons: Collection[int], centres: Collection[str]
    ) -> set[int]:
        """Persons by role and name who see what is of these cost centres."""
        wanted = Q(pk__in=persons) | Q(groups__name__in=roles)
        found = _who_see_alerts().filter(wanted).filter(_sees(centres))
        return set(found.values_list("pk", flat=True))

    def concerned(self, alert: Alert) -> set[int]:
        """Who may decide the approval that an alert is about."""
        if alert.kind not in _OF_APPROVALS:
            return set()
        approval = Approval.objects.waiting().filter(pk=alert.facts.get("approval_id")).first()
        if approval is None or (kind := all_kinds().get(approval.kind)) is None:
            return set()
        now = timezone.now()
        deciders = User.objects.with_perm(kind.permission, backend=_PERMISSIONS).values("pk")
        people = User.objects.filter(Q(pk__in=deciders) | Q(is_deputy(now)), is_active=True)
        people = people.filter(_sees(_centres_of(approval)))
        return {each.pk for each in people if is_decider(each, approval, now=now)}

    def role_names(self) -> list[str]:
        """The roles of the file."""
        return list(roles.roles())


def _who_see_alerts() -> Any:
    return User.objects.with_perm(_VIEW, is_active=True, backend=_PERMISSIONS)


def _sees(centres: Collection[str]) -> Q:
    """Who is bound to no part of the tree, to one of these cost centres, or a superuser."""
    bindings = CentreBinding.objects.filter(person=OuterRef("pk"))
    return (Q(~Exists(bindings)) | Q(Exists(bindings.filter(cost_centre__in=centres)))) | Q(
        is_superuser=True
    )


def _centres_of(approval: Approval) -> list[str]:
    """The cost centre of what an approval changes, and all above it."""
    kind, _, slug = approval.subject.partition(":")
    if kind == "agent":
        agent = Agent.objects.select_related("cost_centre").filter(pk=slug).first()
        return list(agent.cost_centre.path) if agent else []
    if kind == "centre":
        centre = CostCentre.objects.filter(pk=slug).first()
        return list(centre.path) if centre else []
    return []


recipients.register(People())
