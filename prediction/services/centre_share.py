"""Set by which quantile a cost centre sizes budgets."""

from datetime import datetime

from django.db import transaction

from keys.models import CostCentre
from keys.reasons import check_reason
from keys.refusals import CostCentreNotFound, WrongValue
from prediction import centre_shares
from prediction.audit_actions import Action
from prediction.models import CentreForecast, Share
from security import audit
from security.actor import Actor


@transaction.atomic(durable=True)
def set_share(cost_centre: str, *, share: str, reason: str, actor: Actor, now: datetime) -> None:
    """Size the budgets of a cost centre, and of those below it, by `share`; empty inherits.

    Refusals: CostCentreNotFound, WrongValue.
    """
    check_reason(reason)
    if share and share not in Share.values:
        raise WrongValue(f"Use one of {', '.join(Share.values)}, or leave it empty.", field="share")
    if not CostCentre.objects.select_for_update(no_key=True).filter(pk=cost_centre).exists():
        raise CostCentreNotFound(cost_centre=cost_centre)
    line = CentreForecast.objects.filter(pk=cost_centre)
    before = line.values_list("share", flat=True).first() or ""
    if before == share:
        return
    if share:
        CentreForecast.objects.update_or_create(pk=cost_centre, defaults={"share": share})
    else:
        line.delete()
    audit.record(
        actor=actor,
        action=Action.SHARE_SET,
        subject=f"centre:{cost_centre}",
        before={"share": before},
        after={"share": share},
        reason=reason,
        at=now,
    )
    transaction.on_commit(centre_shares.forget)
