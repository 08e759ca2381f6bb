"""Move a session to another API key when its own cannot serve, and record why."""

from datetime import datetime
from math import ceil

from aiohttp import ClientResponse
from django.utils import timezone

from gateway import provider_errors
from gateway.call import Call
from gateway.provider_errors import About
from gateway.refusals import KeyUnusable
from gateway.runtime import Runtime
from keys import services as keys
from keys.models import Allocation
from keys.refusals import KeyCannotServe, RateLimited, RotationRefused
from keys.supply.queries.upstreams import Session
from security.actor import Actor

# 402: the provider's account is empty, and a person must pay first, which takes a while.
UNPAID_SECONDS = 900
# What an error in an answer of status 200 stands for.
_STATUS_ABOUT_KEY = {About.KEY: 401, About.CREDIT: 402}
_GATEWAY = Actor.job("gateway")


async def move_session(runtime: Runtime, session: Session, refusal: KeyCannotServe) -> Session:
    """The session on another key, because its own is switched off, broken or cooling.

    Refusals: RateLimited (the key cools, and no other can take the session), KeyUnusable.
    """
    try:
        await runtime.threads.run(_rotate, session, reason=refusal.detail, now=timezone.now())
    except RotationRefused as no_other:
        if refusal.status == "cooling" and refusal.until:
            raise RateLimited(
                f"The provider asked to wait before using {session.api_key} again. "
                f"{no_other.detail}",
                key_id=session.api_key,
                until=refusal.until,
            ) from None
        raise KeyUnusable(f"{refusal.detail} {no_other.detail}", key_id=session.api_key) from None
    return await runtime.sessions.read(session.session_id)


async def report_key_refusal(
    runtime: Runtime, session: Session, *, http_status: int, retry_after: str | None
) -> None:
    """Record that the provider refused the session's key: 401 and 403 mark it as broken, after 402
    and 429 it cools."""
    seconds = _whole_seconds(retry_after)
    if http_status == 402:
        http_status, seconds = 429, UNPAID_SECONDS
    await runtime.threads.run(
        keys.key_refused,
        session.api_key,
        http_status=http_status,
        retry_after_seconds=seconds,
        actor=_GATEWAY,
        now=timezone.now(),
    )


async def report_error_in_answer(call: Call, error: object, response: ClientResponse) -> None:
    """Record what an error in an answer of status 200 says about the key, if it says anything."""
    found = provider_errors.read_error(error, headers=response.headers, now=timezone.now())
    status = _STATUS_ABOUT_KEY.get(found.about)
    if found.about is About.MOMENT and found.status == 429:
        status = 429
    if status is None:
        return
    seconds = None if found.wait_seconds is None else str(ceil(found.wait_seconds))
    await report_key_refusal(call.runtime, call.session, http_status=status, retry_after=seconds)


def _whole_seconds(retry_after: str | None) -> int | None:
    """None for a date or anything else: the key then cools for the usual time."""
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        # No wait is longer than a year, which has fewer digits.
        return int(retry_after[:9])
    return None


def _rotate(session: Session, *, reason: str, now: datetime) -> None:
    allocation = Allocation.objects.select_related("api_key").get(pk=session.allocation_id)
    if allocation.api_key_id == session.api_key:
        keys.rotate(allocation=allocation, reason=reason, actor=_GATEWAY, now=now)
