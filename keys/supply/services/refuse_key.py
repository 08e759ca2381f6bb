"""A provider refused an API key, or accepted it again: what follows for the key's status."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from django.db import transaction
from django_q.tasks import async_task

from alerts import services as alerts
from alerts.kinds import AlertKind
from keys import alert_kinds
from keys.models import ApiKey
from keys.supply.services.key_status import lock_key, write_status
from security.actor import Actor

_COOLING_SECONDS = 60
_COOLING_SECONDS_MAX = 86_400
# A person must pay first, which takes a while.
_UNPAID_SECONDS = 900
_SUSPENDED_SECONDS = 60
_SUSPENDED_SECONDS_MAX = 3600
_STATUS = ApiKey.Status


class KeyFinding(StrEnum):
    """What a provider's refusal says about an API key.

    `invalid`: the provider names the key as invalid, disabled or expired. `no_credit`: its account
    has no money. `rate_limited`: it sends too much. `doubtful`: access was denied without a reason.
    """

    INVALID = "invalid"
    NO_CREDIT = "no_credit"
    RATE_LIMITED = "rate_limited"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefusal:
    """A provider's refusal of an API key.

    `reason`: the provider's words, without secrets. `wait_seconds`: how long the provider asks to
    wait. `agent_id`, `session_id`: whose request was refused; None: it was reported otherwise.
    """

    finding: KeyFinding
    reason: str
    wait_seconds: float | None = None
    agent_id: str | None = None
    session_id: str | None = None


@transaction.atomic(durable=True)
def key_refused(slug: str, *, refusal: KeyRefusal, actor: Actor, now: datetime) -> ApiKey:
    """Record that the provider refused the key: it breaks, cools or is suspended.

    Its live allocations are rotated away by a job queued with this. What weighs less than the
    status of the key changes nothing: a late rate limit would bring a broken key back by itself.
    Refusal: ApiKeyNotFound.
    """
    api_key = lock_key(slug)
    if _is_outweighed(api_key, refusal, now):
        return api_key
    if refusal.finding == KeyFinding.INVALID:
        _break(api_key, refusal, actor, now)
    elif refusal.finding == KeyFinding.DOUBTFUL:
        _suspend(api_key, refusal, actor, now)
    else:
        _cool(api_key, refusal, actor, now)
    async_task("keys.jobs.rotate_away", slug)
    return api_key


@transaction.atomic(durable=True)
def key_accepted(slug: str, *, actor: Actor, now: datetime) -> ApiKey:
    """Record that the provider accepted a suspended key: it is active again.

    A key that is not suspended any more stays as it is. Refusal: ApiKeyNotFound.
    """
    api_key = lock_key(slug)
    if api_key.status == _STATUS.SUSPENDED:
        api_key.suspended_times = 0
        write_status(api_key, _STATUS.ACTIVE, "the provider accepts it", actor, now)
        alerts.resolve_by_key(
            f"key_refused:{slug}", actor=actor, note="The provider accepts the key.", now=now
        )
    return api_key


@transaction.atomic(durable=True)
def prolong_suspension(slug: str, *, reason: str, actor: Actor, now: datetime) -> ApiKey:
    """Suspend a suspended key for twice as long as before, up to an hour.

    A key that is not suspended any more stays as it is. Refusal: ApiKeyNotFound.
    """
    api_key = lock_key(slug)
    if api_key.status == _STATUS.SUSPENDED:
        _write_suspension(api_key, reason, actor, now)
    return api_key


def _is_outweighed(api_key: ApiKey, refusal: KeyRefusal, now: datetime) -> bool:
    if refusal.finding == KeyFinding.INVALID:
        return False
    if api_key.status in (_STATUS.BROKEN, _STATUS.INACTIVE):
        return True
    if api_key.lendable(now=now):
        return False
    return api_key.status == _STATUS.SUSPENDED or refusal.finding == KeyFinding.DOUBTFUL


def _break(api_key: ApiKey, refusal: KeyRefusal, actor: Actor, now: datetime) -> None:
    write_status(api_key, _STATUS.BROKEN, refusal.reason, actor, now)
    _alert(api_key, alert_kinds.KEY_BROKEN, "is broken", refusal, actor, now)


def _cool(api_key: ApiKey, refusal: KeyRefusal, actor: Actor, now: datetime) -> None:
    unpaid = refusal.finding == KeyFinding.NO_CREDIT
    usual = _UNPAID_SECONDS if unpaid else _COOLING_SECONDS
    seconds = min(refusal.wait_seconds or usual, _COOLING_SECONDS_MAX)
    until = now + timedelta(seconds=seconds)
    # Another call may have been told a later moment.
    api_key.cooling_until = max(api_key.cooling_until or until, until)
    write_status(api_key, _STATUS.COOLING, refusal.reason, actor, now)
    kind = alert_kinds.KEY_NO_CREDIT if unpaid else alert_kinds.KEY_COOLING
    what = "has no credit" if unpaid else f"cools for {seconds:g} s"
    _alert(api_key, kind, what, refusal, actor, now)


def _suspend(api_key: ApiKey, refusal: KeyRefusal, actor: Actor, now: datetime) -> None:
    _write_suspension(api_key, refusal.reason, actor, now)
    _alert(api_key, alert_kinds.KEY_SUSPENDED, "is suspended", refusal, actor, now)


def _write_suspension(api_key: ApiKey, reason: str, actor: Actor, now: datetime) -> None:
    # Six doublings are more than an hour.
    doublings = min(api_key.suspended_times, 6)
    seconds = min(_SUSPENDED_SECONDS * 2**doublings, _SUSPENDED_SECONDS_MAX)
    api_key.suspended_times = doublings + 1
    api_key.cooling_until = now + timedelta(seconds=seconds)
    write_status(api_key, _STATUS.SUSPENDED, reason, actor, now)


def _alert(
    api_key: ApiKey,
    kind: AlertKind,
    what: str,
    refusal: KeyRefusal,
    actor: Actor,
    now: datetime,
) -> None:
    """Raise the alert; one of another kind that stands about this key is over."""
    dedup_key, title = f"key_refused:{api_key.pk}", f"{api_key.pk} {what}"
    raise_it = partial(
        alerts.raise_alert,
        kind=kind,
        dedup_key=dedup_key,
        title=title,
        detail=_detail(api_key, refusal),
        key_id=api_key.pk,
        agent_id=refusal.agent_id,
        session_id=refusal.session_id,
        now=now,
    )
    standing, _ = raise_it()
    if standing.kind != kind.slug:
        alerts.resolve_by_key(dedup_key, actor=actor, note=title, now=now)
        raise_it()


def _detail(api_key: ApiKey, refusal: KeyRefusal) -> str:
    if refusal.agent_id is None:
        return api_key.status_reason
    return (
        f"{api_key.status_reason}\nIt answered so to a request of {refusal.agent_id}, session "
        f"{refusal.session_id}."
    )
