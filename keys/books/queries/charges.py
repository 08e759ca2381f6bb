"""Charges as those who may see them see them: what each call cost, and why."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from keys.identity.queries.credentials import Bearer
from keys.models import Charge
from keys.refusals import ChargeNotFound

# May be long.
_NOT_SHOWN = ("request_digest", "allocation__asked", "allocation__payers")


class ChargeFilter(NamedTuple):
    """Which charges; None is all. Held in `[since, until)`; `after`: those older than this one."""

    status: str | None = None
    session_id: str | None = None
    key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None


def charges(which: ChargeFilter, *, bearer: Bearer, most: int) -> list[Charge]:
    """The newest `most` of those charges that the bearer may see; one query."""
    wanted = {
        "status": which.status,
        "allocation__session_id": which.session_id,
        "api_key": which.key_id,
        "created_at__gte": which.since,
        "created_at__lt": which.until,
        "pk__lt": which.after,
    }
    said = {name: value for name, value in wanted.items() if value is not None}
    return list(_visible(bearer).filter(**said).order_by("-pk")[:most])


def visible_charge(charge_id: int, *, bearer: Bearer) -> Charge:
    """One of those the bearer may see. Refusals: ChargeNotFound, also when it is another's."""
    charge = _visible(bearer).filter(pk=charge_id).first()
    if charge is None:
        raise ChargeNotFound(charge_id=str(charge_id))
    return charge


def _visible(bearer: Bearer) -> QuerySet[Charge]:
    """Those of its session, of its agent, or all."""
    found = Charge.objects.select_related("allocation").defer(*_NOT_SHOWN)
    if bearer.session_id:
        return found.filter(allocation__session_id=bearer.session_id)
    return found if bearer.sees_all else found.filter(allocation__agent=bearer.agent)
