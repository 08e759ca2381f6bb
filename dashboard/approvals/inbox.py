"""What waits for a person, in their own right or as a deputy, and what waits for others."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from common.admin.visible_rows import visible_to
from dashboard.acts import Act
from dashboard.approvals.acts import APPROVE_AS_DEPUTY, DECISIONS, GATE_DECISIONS, WITHDRAW
from dashboard.approvals.items import Item, approval_item, gate_item
from keys.models import Freeze
from orchestration.models import SubTask
from orchestration.queries.gates import STEER, absent_at_gates, gates_for, waiting_gates
from orchestration.queries.gates import VIEW as VIEW_GATES
from security import persons
from security.deciders import (
    approvals_for,
    approvals_to_decide,
    own_approvals,
    visible_approvals,
)
from security.delegations import delegations_to
from security.models import Approval

SHOWN = 25


class Line(NamedTuple):
    """Something that waits, what the person may do to it, and in whose place (empty: their own)."""

    item: Item
    acts: Sequence[Act]
    for_whom: str = ""


class Lines(NamedTuple):
    """Those that wait the longest, of `total`."""

    shown: list[Line]
    total: int


def frozen_scopes(user: Any, *, most: int = SHOWN) -> list[Freeze]:
    """What is frozen and the person may thaw, the oldest first; one query for those who may thaw.

    A thaw is no approval, but a second person's decision, too.
    """
    if not user.has_perm("keys.change_freeze"):
        return []
    frozen = visible_to(user, Freeze.objects.filter(thawed_at=None))
    return list(frozen.order_by("pk")[:most])


def own_lines(user: Any, *, now: datetime, most: int = SHOWN) -> list[Line]:
    """What waits for the person, approvals first, the oldest first; two queries, and for a deputy
    some more."""
    rows = list(approvals_to_decide(user, now=now)[:most])
    absent = absent_persons(user, [each.pk for each in rows], now=now)
    approvals = [
        Line(approval_item(each, now=now), DECISIONS, absent.get(each.pk, "")) for each in rows
    ]
    gates = list(_own_gates(user, now)[: most - len(approvals)])
    absent = absent_at_gates(user, [each.pk for each in gates], now=now)
    lines = [*approvals, *(_gate_line(each, absent.get(each.pk, "")) for each in gates)]
    if len(lines) < most:
        user.waiting_count = len(lines)
    return lines


def own_count(user: Any, *, now: datetime) -> int:
    """How much waits for the person; one query for each request, none if the page lists it all."""
    found: int | None = getattr(user, "waiting_count", None)
    if found is None:
        approvals, gates = (
            rows.order_by().values("pk")
            for rows in (approvals_to_decide(user, now=now), _own_gates(user, now))
        )
        found = user.waiting_count = approvals.union(gates, all=True).count()
    return found


def lines_of_others(user: Any, *, now: datetime) -> Lines:
    """What waits for others, as far as the person may see it: what they asked for themselves, too;
    four queries at most."""
    approvals = _approvals_of_others(user, now)
    gates = _gates_of_others(user)
    shown = [
        Line(approval_item(each, now=now), [WITHDRAW] if asked_by(user, each) else [])
        for each in approvals[:SHOWN]
    ]
    shown += [Line(gate_item(each), []) for each in gates[: SHOWN - len(shown)]]
    total = approvals.count() + gates.count() if len(shown) == SHOWN else len(shown)
    return Lines(shown, total)


def asked_by(user: Any, approval: Approval) -> bool:
    """Whether the person asked for the approval."""
    return persons.is_actor(user, name=approval.asked_by_name, kind=approval.asked_by_kind)


def absent_persons(user: Any, approvals: Sequence[int], *, now: datetime) -> dict[int, str]:
    """In whose place the person decides which of these approvals; those that they decide in their
    own right are left out. No query if they are nobody's deputy."""
    delegations = delegations_to(user, now=now)
    if not (delegations and approvals):
        return {}
    own = _among(own_approvals(user, now=now), approvals)
    found: dict[int, str] = {}
    for each in delegations:
        for pk in _among(approvals_for(each, now=now), approvals) - own:
            found.setdefault(pk, each.absent.username)
    return found


def _among(rows: QuerySet[Approval], approvals: Sequence[int]) -> set[int]:
    return set(rows.filter(pk__in=approvals).order_by().values_list("pk", flat=True))


def _gate_line(sub_task: SubTask, for_whom: str) -> Line:
    acts = (APPROVE_AS_DEPUTY,) if for_whom else GATE_DECISIONS
    return Line(gate_item(sub_task), acts, for_whom)


def _own_gates(user: Any, now: datetime) -> QuerySet[SubTask]:
    """Those that wait for the person, in their own right or in the place of an absent one."""
    gates = visible_to(user, waiting_gates())
    found = gates if user.has_perm(STEER) else gates.none()
    for each in delegations_to(user, now=now):
        found = found | gates_for(each).filter(status=SubTask.Status.GATED)
    return found.order_by("task", "position")


def _approvals_of_others(user: Any, now: datetime) -> QuerySet[Approval]:
    waiting = Approval.objects.waiting().filter(expires_at__gt=now)
    own = approvals_to_decide(user, now=now).order_by().values("pk")
    seen = visible_approvals(user, now=now).order_by().values("pk")
    return waiting.filter(pk__in=seen).exclude(pk__in=own).order_by("asked_at")


def _gates_of_others(user: Any) -> QuerySet[SubTask]:
    gates = visible_to(user, waiting_gates())
    return gates.none() if user.has_perm(STEER) or not user.has_perm(VIEW_GATES) else gates
