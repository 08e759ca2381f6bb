"""The status of API keys, as providers answer and operators decide."""

from datetime import datetime, timedelta

from django.db import transaction
from django_q.tasks import async_task

from alerts import services as alerts
from alerts.kinds import AlertKind
from keys import alert_kinds
from keys.audit_actions import Action
from keys.models import ApiKey
from keys.refusals import ApiKeyNotFound, WrongValue
from security import audit
from security.actor import Actor

_COOLING_SECONDS = 60
_COOLING_SECONDS_MAX = 86_400
_STATUS = ApiKey.Status
_CALENDAR = Actor.job("calendar")


@transaction.atomic(durable=True)
def key_refused(
    slug: str,
    *,
    http_status: int,
    retry_after_seconds: int | None = None,
    actor: Actor,
    now: datetime,
) -> ApiKey:
    """The provider refused the key: 401 and 403 break it, 429 lets it cool until `Retry-After`.

    A job queued with this rotates the live allocations of the key away. A late 429 does not change
    a key that is broken or switched off: a cooling key becomes active again by itself.
    Refusals: ApiKeyNotFound, WrongValue.
    """
    api_key = _lock(slug)
    if http_status in (401, 403):
        _break(api_key, http_status, actor, now)
    elif http_status == 429:
        if api_key.status in (_STATUS.BROKEN, _STATUS.INACTIVE):
            return api_key
        _cool(api_key, retry_after_seconds or _COOLING_SECONDS, actor, now)
    else:
        raise WrongValue(
            "Use 401, 403 or 429 as the HTTP status: only these refuse an API key.",
            field="http_status",
        )
    async_task("keys.jobs.rotate_away", slug)
    return api_key


def _break(api_key: ApiKey, http_status: int, actor: Actor, now: datetime) -> None:
    if api_key.status == _STATUS.COOLING:
        # The unresolved alert only says that the key is cooling; people must learn that it broke.
        alerts.resolve_by_key(f"key_refused:{api_key.pk}", actor=actor, note="key broken", now=now)
    write_status(api_key, _STATUS.BROKEN, f"the provider answered {http_status}", actor, now)
    _alert(api_key, alert_kinds.KEY_BROKEN, "is broken", now)


def _cool(api_key: ApiKey, seconds: int, actor: Actor, now: datetime) -> None:
    seconds = min(seconds, _COOLING_SECONDS_MAX)
    until = now + timedelta(seconds=seconds)
    # The provider may have named a later moment to another call.
    api_key.cooling_until = max(api_key.cooling_until or until, until)
    write_status(api_key, _STATUS.COOLING, "the provider answered 429", actor, now)
    _alert(api_key, alert_kinds.KEY_COOLING, f"is cooling for {seconds} s", now)


@transaction.atomic(durable=True)
def set_key_status(slug: str, *, status: str, reason: str, actor: Actor, now: datetime) -> ApiKey:
    """Switch a key on (`active`) or off (`inactive`). Refusals: ApiKeyNotFound, WrongValue."""
    if status not in (_STATUS.ACTIVE, _STATUS.INACTIVE):
        raise WrongValue("Use active or inactive as the status.", field="status")
    api_key = _lock(slug)
    if status == _STATUS.ACTIVE and api_key.secret is None:
        raise WrongValue(
            f"The API key {slug} has no secret yet. Store its secret before you switch it on.",
            field="secret",
        )
    write_status(api_key, status, reason, actor, now)
    if status == _STATUS.ACTIVE:
        alerts.resolve_by_key(f"key_refused:{slug}", actor=actor, note=reason, now=now)
        alerts.resolve_by_key(f"key_exhausted:{slug}", actor=actor, note=reason, now=now)
    else:
        async_task("keys.jobs.rotate_away", slug)
    return api_key


@transaction.atomic(durable=True)
def revive_keys(*, now: datetime) -> int:
    """Reactivate cooled keys and exhausted keys whose windows have room; returns how many.

    Only pages need it: the selection of a key looks at the clock and the windows themselves.
    """
    cooled = ApiKey.objects.filter(status=_STATUS.COOLING, cooling_until__lte=now)
    full = "w.scope = 'key:' || keys_apikey.slug AND w.closed_at IS NULL AND w.used >= w.amount"
    roomy = ApiKey.objects.filter(status=_STATUS.EXHAUSTED).extra(  # noqa: S610 - a constant
        where=[f"NOT EXISTS (SELECT FROM keys_window w WHERE {full})"]  # noqa: S608 - a constant
    )
    revived = [*cooled.select_for_update(no_key=True), *roomy.select_for_update(no_key=True)]
    for api_key in revived:
        write_status(api_key, _STATUS.ACTIVE, "the key has room again", _CALENDAR, now)
        alerts.resolve_by_key(f"key_refused:{api_key.pk}", actor=_CALENDAR, now=now)
        alerts.resolve_by_key(f"key_exhausted:{api_key.pk}", actor=_CALENDAR, now=now)
    return len(revived)


def _lock(slug: str) -> ApiKey:
    api_key = ApiKey.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    return api_key


def write_status(api_key: ApiKey, status: str, reason: str, actor: Actor, now: datetime) -> None:
    """Give a key a status, with an entry in the audit; a cooling one has its `cooling_until` set.

    Joins the transaction of the caller, who has locked the row.
    """
    before = api_key.status
    api_key.status, api_key.status_reason = status, reason[:300]
    if status != _STATUS.COOLING:
        api_key.cooling_until = None
    api_key.save(update_fields=["status", "status_reason", "cooling_until"])
    audit.record(
        actor=actor,
        action=Action.KEY_CHANGE_STATUS,
        subject=api_key.scope,
        before={"status": before},
        after={"status": status},
        reason=reason,
        at=now,
    )


def _alert(api_key: ApiKey, kind: AlertKind, what: str, now: datetime) -> None:
    alerts.raise_alert(
        kind=kind,
        dedup_key=f"key_refused:{api_key.pk}",
        title=f"{api_key.pk} {what}",
        detail=api_key.status_reason,
        key_id=api_key.pk,
        now=now,
    )
