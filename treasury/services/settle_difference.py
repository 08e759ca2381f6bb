"""Settle differences: explain or accept them, each with a reason."""

from datetime import datetime

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import (
    Difference,
    DifferenceStatus,
    ProviderName,
)
from treasury.reconciliation.differences import DifferenceKind
from treasury.refusals import DifferenceSettled, WrongDifference
from treasury.services.difference_alerts import tell_of

_STATUS = DifferenceStatus
_SETTLED = (
    *("status", "reason", "settled_by", "settled_at", "transfer"),
    *("asked_persons", "approved_persons"),
)


@transaction.atomic(durable=True)
def explain_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Say why a difference is as it is. Refusals: DifferenceSettled, WrongDifference."""
    found = open_difference(difference_id, reason)
    return settle(found, _STATUS.EXPLAINED, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def learn_names(difference_id: int, *, reason: str, actor: Actor, now: datetime) -> Difference:
    """Explain a difference of names: later comparisons know that both names mean the same.

    Refusals: DifferenceSettled, WrongDifference.
    """
    found = open_difference(difference_id, reason)
    if found.kind != DifferenceKind.OTHER_NAME or not found.provider_id:
        raise WrongDifference("Only a difference of names has other names.")
    kinds = ProviderName.Kind
    for kind, theirs, ours in (
        (kinds.KEY, found.their_key, found.api_key),
        (kinds.MODEL, found.their_model, found.model),
    ):
        if theirs and theirs != ours:
            _add_name(found, kind, theirs, ours, reason=reason, actor=actor, now=now)
    return settle(found, _STATUS.EXPLAINED, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def accept_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Leave a difference as it is. Refusals: DifferenceSettled, WrongDifference."""
    found = open_difference(difference_id, reason)
    return settle(found, _STATUS.ACCEPTED, reason=reason, actor=actor, now=now)


def open_difference(difference_id: int, reason: str) -> Difference:
    """The difference, locked. Refusals: DifferenceSettled, WrongDifference."""
    rows = Difference.objects.select_related("account")
    found = rows.select_for_update(of=("self",), no_key=True).get(pk=difference_id)
    check_open(found, reason)
    return found


def check_open(found: Difference, reason: str) -> None:
    """Refusals: DifferenceSettled, WrongDifference for a missing reason."""
    if found.status != _STATUS.OPEN:
        raise DifferenceSettled(difference_id=found.pk, difference_status=found.status)
    if not reason.strip():
        raise WrongDifference("Say why.")


def settle(
    found: Difference, status: str, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Write down how a locked difference was settled. Joins the caller's transaction."""
    found.status, found.reason = status, reason.strip()[:300]
    found.settled_by, found.settled_at = str(actor), now
    found.save(update_fields=_SETTLED)
    audit.record(
        actor=actor,
        action=Action.DIFFERENCE_SETTLE,
        subject=f"difference:{found.pk}",
        before={"status": _STATUS.OPEN},
        after={"status": status, "kind": found.kind, "amount": f"{found.amount:f}"},
        reason=found.reason,
        at=now,
    )
    tell_of(found, actor=actor, now=now)
    return found


def _add_name(  # noqa: PLR0913  (each by name)
    found: Difference,
    kind: str,
    theirs: str,
    ours: str,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    terms = {"provider": found.provider_id, "kind": kind, "theirs": theirs, "ours": ours}
    reason = reason.strip()[:300]
    added = {"ours": ours, "reason": reason, "added_by": str(actor), "added_at": now}
    name, _ = ProviderName.objects.get_or_create(
        provider_id=found.provider_id, kind=kind, theirs=theirs, defaults=added
    )
    if name.ours != ours:
        raise WrongDifference(f"{theirs} is a name of {name.ours} already.")
    audit.record(
        actor=actor,
        action=Action.PROVIDER_NAME_ADD,
        subject=f"provider:{found.provider_id}",
        after=terms,
        reason=reason,
        at=now,
    )
