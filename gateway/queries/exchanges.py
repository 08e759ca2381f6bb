"""Kept exchanges. Expired ones are not read, even if they are not deleted yet."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from gateway import exchange_bodies
from gateway.audit_actions import Action
from gateway.models import Exchange
from security.models import AuditEntry


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """A whole answer, to be sent again."""

    status: int
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeptExchange:
    """A request and its answer; not `complete`: the answer was cut."""

    charge_id: int
    status: int
    media_type: str
    complete: bool
    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)


def unexpired_exchanges(*, now: datetime) -> QuerySet[Exchange]:
    """Exchanges that may still be read."""
    return Exchange.objects.filter(expires_at__gt=now)


@sensitive_variables()
def exchange_of(charge_id: int, *, now: datetime) -> KeptExchange | None:
    """The exchange of a call; None if it was not kept or has expired. Refusal: CannotUnseal."""
    row = unexpired_exchanges(now=now).filter(pk=charge_id).first()
    if row is None:
        return None
    return KeptExchange(
        charge_id=row.pk,
        status=row.status,
        media_type=row.media_type,
        complete=row.complete,
        request=exchange_bodies.body(row, "request"),
        answer=exchange_bodies.body(row, "answer"),
    )


@sensitive_variables()
def kept_answer(charge_id: int, *, now: datetime) -> KeptAnswer | None:
    """The whole answer of a call; None if it was not kept, was cut off, or has expired.

    Refusal: CannotUnseal.
    """
    row = unexpired_exchanges(now=now).filter(pk=charge_id, complete=True).defer("request").first()
    if row is None:
        return None
    body = exchange_bodies.body(row, "answer")
    return KeptAnswer(status=row.status, media_type=row.media_type, body=body)


def looks_at(charge_id: int, *, most: int) -> QuerySet[AuditEntry]:
    """The latest looks at the contents of an exchange, the newest first."""
    looks = AuditEntry.objects.about(f"exchange:{charge_id}").filter(action=Action.EXCHANGE_LOOK)
    return looks[:most]
