"""Take a version of what was learned into use."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from common.refusal import Refusal
from keys.reasons import check_reason
from prediction import in_use
from prediction.audit_actions import Action
from prediction.models import ForecastModel
from security import audit
from security.actor import Actor


@dataclass(kw_only=True, eq=False)
class VersionNotReady(Refusal):
    """The version does not exist, or nothing was learned in it."""

    version: int

    def sentence(self) -> str:
        return f"Version {self.version} of the forecasts is not ready. Choose another version."


@transaction.atomic(durable=True)
def activate(version: int | None, *, actor: Actor, reason: str, now: datetime) -> None:
    """Use a version for forecasts from now on, also an earlier one; None: the rule of words.

    Using the same version again changes nothing. What is learned later is used by itself only while
    the newest version is in use. Refusals: WrongValue, VersionNotReady.
    """
    check_reason(reason)
    switch(version, actor=actor, reason=reason, now=now)


def switch(version: int | None, *, actor: Actor, reason: str, now: datetime) -> None:
    """As `activate`, in the caller's transaction."""
    # One after the other, also while none is in use.
    rows = list(ForecastModel.objects.select_for_update().order_by("pk").only("in_use", "status"))
    before = next((row.pk for row in rows if row.in_use), None)
    chosen = next((row for row in rows if row.pk == version), None)
    if version is not None and (chosen is None or chosen.status != ForecastModel.Status.READY):
        raise VersionNotReady(version=version)
    if before == version:
        return
    ForecastModel.objects.filter(in_use=True).update(in_use=False)
    if version is not None:
        ForecastModel.objects.filter(pk=version).update(in_use=True)
    audit.record(
        actor=actor,
        action=Action.VERSION_USE,
        subject=f"forecast_model:{version or before}",
        before={"version": before},
        after={"version": version},
        reason=reason,
        at=now,
    )
    transaction.on_commit(in_use.forget)
