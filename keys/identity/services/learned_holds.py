"""Set which calls may hold less than their bound."""

from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.models import CostCentre
from keys.refusals import CostCentreNotFound, WrongValue
from security import audit
from security.actor import Actor


@transaction.atomic
def set_learned_holds(
    cost_centre: str, *, calls: str, actor: Actor, reason: str, now: datetime
) -> CostCentre:
    """Set which calls of a cost centre, and of those below it that have no setting of their own,
    hold what earlier answers make likely if they do not fit.

    `calls`: a `CostCentre.LearnedHolds`; empty inherits from the cost centre above. The gateway
    follows within seconds. Refusals: WrongValue, CostCentreNotFound.
    """
    if calls and calls not in CostCentre.LearnedHolds.values:
        known = ", ".join(CostCentre.LearnedHolds.values)
        raise WrongValue(f"Use one of {known}, or leave it empty.", field="calls")
    row = CostCentre.objects.select_for_update(no_key=True).filter(pk=cost_centre).first()
    if row is None:
        raise CostCentreNotFound(cost_centre=cost_centre)
    before = row.learned_holds
    if before == calls:
        return row
    row.learned_holds = calls
    row.save(update_fields=["learned_holds"])
    audit.record(
        actor=actor,
        action=Action.LEARNED_HOLDS_SET,
        subject=f"centre:{row.pk}",
        before={"learned_holds": before},
        after={"learned_holds": calls},
        reason=reason,
        at=now,
    )
    return row
