"""Set what cost centres inherit from the one above, unless they say it themselves."""

from datetime import datetime

from django.db import models, transaction

from keys.audit_actions import Action
from keys.models import CostCentre
from keys.reasons import check_reason
from keys.refusals import CostCentreNotFound, WrongValue
from security import audit
from security.actor import Actor


@transaction.atomic
def set_outbound_guard(
    cost_centre: str, *, guard: str, actor: Actor, reason: str, now: datetime
) -> CostCentre:
    """Set the guard of a cost centre, and of those below it that have none of their own.

    `guard`: a `CostCentre.Guard`; empty inherits from the cost centre above. The gateway follows
    within seconds. Refusals: WrongValue, CostCentreNotFound.
    """
    check_reason(reason)
    _check(guard, CostCentre.Guard, field="guard")
    row = _locked(cost_centre)
    before, row.outbound_guard = row.outbound_guard, guard
    action = Action.OUTBOUND_GUARD_SET
    return _save(row, "outbound_guard", before, action, actor=actor, reason=reason, now=now)


@transaction.atomic
def set_learned_holds(
    cost_centre: str, *, calls: str, actor: Actor, reason: str, now: datetime
) -> CostCentre:
    """Set which calls of a cost centre, and of those below it that have no setting of their own,
    hold what earlier answers make likely if they do not fit.

    `calls`: a `CostCentre.LearnedHolds`; empty inherits from the cost centre above. The gateway
    follows within seconds. Refusals: WrongValue, CostCentreNotFound.
    """
    check_reason(reason)
    _check(calls, CostCentre.LearnedHolds, field="calls")
    row = _locked(cost_centre)
    before, row.learned_holds = row.learned_holds, calls
    action = Action.LEARNED_HOLDS_SET
    return _save(row, "learned_holds", before, action, actor=actor, reason=reason, now=now)


def _check(value: str, choices: type[models.TextChoices], *, field: str) -> None:
    if value and value not in choices.values:
        known = ", ".join(choices.values)
        raise WrongValue(f"Use one of {known}, or leave it empty.", field=field)


def _locked(cost_centre: str) -> CostCentre:
    row = CostCentre.objects.select_for_update(no_key=True).filter(pk=cost_centre).first()
    if row is None:
        raise CostCentreNotFound(cost_centre=cost_centre)
    return row


def _save(
    row: CostCentre,
    name: str,
    before: str,
    action: Action,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
) -> CostCentre:
    """Write one field and its audit entry, if it has changed."""
    after = getattr(row, name)
    if before != after:
        row.save(update_fields=[name])
        audit.record(
            actor=actor,
            action=action,
            subject=f"centre:{row.pk}",
            before={name: before},
            after={name: after},
            reason=reason,
            at=now,
        )
    return row
