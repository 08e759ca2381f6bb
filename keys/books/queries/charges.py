"""Reads of charges, limited to what the sender of a request may see."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum

from common.statements import Statement, fetch
from keys.identity.queries.credentials import Bearer
from keys.models import FIGURES, Adjustment, Charge
from keys.refusals import ChargeNotFound

# Columns that are not read, because they may be long.
_DEFERRED = ("request_digest", "allocation__asked", "allocation__payers")


class ChargeFilter(NamedTuple):
    """A filter of charges; None does not filter.

    `since`, `until`: held in `[since, until)`. `after`: charges with a lower id than this one.
    """

    status: str | None = None
    session_id: str | None = None
    key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None


class PayerOfCall(NamedTuple):
    """The cost centre that pays for a call, and every scope of payers of its allocation."""

    cost_centre_id: str
    payers: list[str]


# Of a call that was made a moment ago: no partition has it.
PAYER_OF_CALL = Statement(
    """
    SELECT a.cost_centre_id, a.payers
      FROM ONLY keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
     WHERE c.id = %(charge)s
    """,
    PayerOfCall,
)


def payer_of_call(charge_id: int) -> PayerOfCall:
    """Who pays for a call that was made a short time ago."""
    (payer,) = fetch(PAYER_OF_CALL, charge=charge_id)
    return payer


def charges(which: ChargeFilter, *, bearer: Bearer, most: int) -> list[Charge]:
    """The newest `most` charges of the filter that the bearer may see, with their adjustments; two
    queries."""
    wanted = {
        "status": which.status,
        "allocation__session_id": which.session_id,
        "api_key": which.key_id,
        "created_at__gte": which.since,
        "created_at__lt": which.until,
        "pk__lt": which.after,
    }
    conditions = {name: value for name, value in wanted.items() if value is not None}
    return list(_visible(bearer).filter(**conditions).order_by("-pk")[:most])


def visible_charge(charge_id: int, *, bearer: Bearer) -> Charge:
    """A charge that the bearer may see. Refusals: ChargeNotFound, also when it may not."""
    charge = _visible(bearer).filter(pk=charge_id).first()
    if charge is None:
        raise ChargeNotFound(charge_id=str(charge_id))
    return charge


def _visible(bearer: Bearer) -> QuerySet[Charge]:
    """The charges of the bearer's session, of its agent, or all."""
    charges = (
        Charge.objects.select_related("allocation")
        .defer(*_DEFERRED)
        .prefetch_related("adjustments")
    )
    if bearer.session_id:
        return charges.filter(allocation__session_id=bearer.session_id)
    return charges if bearer.sees_all else charges.filter(allocation__agent=bearer.agent)


def figures(charge: Charge, *, until: Adjustment | None = None) -> dict[str, Any]:
    """What a settled charge counts for: its figures with all adjustments, or with those up to
    `until`; one query."""
    adjustments = charge.adjustments.filter(pk__lte=until.pk) if until else charge.adjustments.all()
    sums = adjustments.aggregate(**{f"sum_{name}": Sum(name, default=0) for name in FIGURES})
    return {name: getattr(charge, name) + sums[f"sum_{name}"] for name in FIGURES}


def key_of_response(response_id: str, *, allocation_id: int) -> str | None:
    """The API key with which a session got an answer; None if it has no settled charge of it."""
    return (
        Charge.objects.filter(
            allocation=allocation_id,
            provider_request_id=response_id,
            route="/v1/responses",
            status=Charge.Status.SETTLED,
        )
        .values_list("api_key_id", flat=True)
        .first()
    )
