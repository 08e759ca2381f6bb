"""Move a session to another key when its own cannot serve, and tell the books why."""

from datetime import datetime

from django.utils import timezone

from gateway.refusals import KeyUnusable
from gateway.runtime import Office
from keys import services as keys
from keys.models import Allocation
from keys.refusals import KeyCannotServe, RateLimited, RotationRefused
from keys.supply.queries.upstreams import Session

# The provider says that the account is empty: a person must pay first, which takes a while.
UNPAID_SECONDS = 900


async def away(office: Office, session: Session, refusal: KeyCannotServe) -> Session:
    """The session on another key, because its own is switched off, broken or cooling.

    Refusals: RateLimited (it cools, and nobody else can take the session), KeyUnusable.
    """
    try:
        await office.threads.run(_rotate, session, reason=refusal.detail, now=timezone.now())
    except RotationRefused as stays:
        until = refusal.facts.get("until")
        if refusal.facts["status"] == "cooling" and until:
            raise RateLimited(
                f"{session.api_key} was told to wait by its provider, and {stays.detail}",
                key_id=session.api_key,
                until=until,
            ) from None
        raise KeyUnusable(f"{refusal.detail} {stays.detail}", key_id=session.api_key) from None
    return await office.sessions.read(session.session_id)


async def refused(
    office: Office, session: Session, *, http_status: int, retry_after: str | None
) -> None:
    """The provider refused the session's key: 401 and 403 break it, 402 and 429 let it cool."""
    seconds = _seconds(retry_after)
    if http_status == 402:
        http_status, seconds = 429, UNPAID_SECONDS
    await office.threads.run(
        keys.key_refused,
        session.api_key,
        http_status=http_status,
        retry_after_seconds=seconds,
        who="gateway",
        now=timezone.now(),
    )


def _seconds(retry_after: str | None) -> int | None:
    """None for a date, or for what is no number: it cools as long as usual."""
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        # More digits than a year has seconds say no more.
        return int(retry_after[:9])
    return None


def _rotate(session: Session, *, reason: str, now: datetime) -> None:
    allocation = Allocation.objects.select_related("api_key").get(pk=session.allocation_id)
    if allocation.api_key_id == session.api_key:
        keys.rotate(allocation=allocation, reason=reason, who="gateway", now=now)
