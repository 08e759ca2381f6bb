"""Set what happens to calls that would send credentials to a provider."""

from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.models import CostCentre
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
    if guard and guard not in CostCentre.Guard.values:
        raise WrongValue(
            f"Use one of {', '.join(CostCentre.Guard.values)}, or leave it empty.", field="guard"
        )
    row = CostCentre.objects.select_for_update(no_key=True).filter(pk=cost_centre).first()
    if row is None:
        raise CostCentreNotFound(cost_centre=cost_centre)
    before = row.outbound_guard
    if before == guard:
        return row
    row.outbound_guard = guard
    row.save(update_fields=["outbound_guard"])
    audit.record(
        actor=actor,
        action=Action.OUTBOUND_GUARD_SET,
        subject=f"centre:{row.pk}",
        before={"outbound_guard": before},
        after={"outbound_guard": guard},
        reason=reason,
        at=now,
    )
    return row
