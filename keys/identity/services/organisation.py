"""Change the settings of the organisation."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from keys.audit_actions import Action
from keys.limits.services.thresholds import arm_all
from keys.models import Organisation
from keys.reasons import check_reason
from keys.refusals import WrongValue
from security import audit
from security.actor import Actor


class OrganisationChanges(TypedDict, total=False):
    """The fields of the organisation to change, and their new values."""

    name: str
    reporting_zone: str
    fiscal_year_starts: int
    week_starts: int
    shown_currency: str
    shown_rate: Decimal
    shown_rate_on: date | None
    landing_warning_percent: int
    estimated_share_warning_percent: int
    budget_threshold_percents: list[int]


@transaction.atomic(durable=True)
def change_organisation(
    *, actor: Actor, reason: str, now: datetime, **changes: Unpack[OrganisationChanges]
) -> Organisation:
    """Change these fields of the organisation; values that it has already are no change.

    Refusals: WrongValue.
    """
    check_reason(reason)
    return write_organisation(changes, reason=reason, actor=actor, now=now)


def write_organisation(
    changes: Mapping[str, Any], *, reason: str, actor: Actor, now: datetime
) -> Organisation:
    """As `change_organisation`, for any field, in the caller's transaction."""
    Organisation.objects.get_or_create()
    row = Organisation.objects.select_for_update(no_key=True).get()
    after = {field: value for field, value in changes.items() if getattr(row, field) != value}
    if not after:
        return row
    before = {field: getattr(row, field) for field in after}
    for field, value in after.items():
        setattr(row, field, value)
    _check(row)
    row.save(update_fields=list(after))
    if "budget_threshold_percents" in after:
        arm_all(row.budget_threshold_percents, at=now)
    audit.record(
        actor=actor,
        action=Action.ORGANISATION_CHANGE,
        subject="organisation:1",
        before=before,
        after=after,
        reason=reason,
        at=now,
    )
    return row


def _check(row: Organisation) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise WrongValue(messages[0], field=field) from None
