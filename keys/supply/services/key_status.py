"""The status of API keys, as providers answer and operators decide."""

from datetime import datetime

from django.db import transaction
from django_q.tasks import async_task

from alerts import services as alerts
from keys.audit_actions import Action
from keys.models import ApiKey
from keys.reasons import check_reason
from keys.refusals import ApiKeyNotFound, WrongValue
from security import audit
from security.actor import Actor

_WAITING = (ApiKey.Status.COOLING, ApiKey.Status.SUSPENDED)
_STATUS = ApiKey.Status
_CALENDAR = Actor.job("calendar")


@transaction.atomic(durable=True)
def set_key_status(slug: str, *, status: str, reason: str, actor: Actor, now: datetime) -> ApiKey:
    """Switch a key on (`active`) or off (`inactive`). Refusals: ApiKeyNotFound, WrongValue."""
    check_reason(reason)
    if status not in (_STATUS.ACTIVE, _STATUS.INACTIVE):
        raise WrongValue("Use active or inactive as the status.", field="status")
    api_key = lock_key(slug)
    if status == _STATUS.ACTIVE and api_key.needs_secret:
        why = "has no secret yet" if api_key.secret is None else "has a secret for another base URL"
        raise WrongValue(
            f"The API key {slug} {why}. Store its secret before you switch it on.", field="secret"
        )
    if status == _STATUS.ACTIVE and api_key.hidden_at:
        raise WrongValue(
            f"The API key {slug} is hidden. Show it again before you switch it on.", field="status"
        )
    api_key.suspended_times = 0
    write_status(api_key, status, reason, actor, now)
    if status == _STATUS.ACTIVE:
        alerts.resolve_by_key(f"key_refused:{slug}", actor=actor, note=reason, now=now)
        alerts.resolve_by_key(f"key_exhausted:{slug}", actor=actor, note=reason, now=now)
    else:
        async_task("keys.jobs.rotate_away", slug)
    return api_key


@transaction.atomic(durable=True)
def revive_keys(*, now: datetime) -> int:
    """Reactivate keys that have waited, and exhausted keys whose windows have room; returns how
    many.

    Only pages need it: the selection of a key looks at the clock and the windows themselves.
    """
    waited = ApiKey.objects.filter(status__in=_WAITING, cooling_until__lte=now)
    full = "w.scope = 'key:' || keys_apikey.slug AND w.closed_at IS NULL AND w.used >= w.amount"
    roomy = ApiKey.objects.filter(status=_STATUS.EXHAUSTED).extra(  # noqa: S610 - a constant
        where=[f"NOT EXISTS (SELECT FROM keys_window w WHERE {full})"]  # noqa: S608 - a constant
    )
    revived = [*waited.select_for_update(no_key=True), *roomy.select_for_update(no_key=True)]
    for api_key in revived:
        write_status(api_key, _STATUS.ACTIVE, "the key has room again", _CALENDAR, now)
        alerts.resolve_by_key(f"key_refused:{api_key.pk}", actor=_CALENDAR, now=now)
        alerts.resolve_by_key(f"key_exhausted:{api_key.pk}", actor=_CALENDAR, now=now)
    return len(revived)


def lock_key(slug: str) -> ApiKey:
    """The key, locked until commit. Refusal: ApiKeyNotFound."""
    api_key = ApiKey.objects.select_for_update(no_key=True).filter(pk=slug).first()
    if api_key is None:
        raise ApiKeyNotFound(key_id=slug)
    return api_key


def write_status(api_key: ApiKey, status: str, reason: str, actor: Actor, now: datetime) -> None:
    """Give a key a status, with an entry in the audit; one that waits has its `cooling_until` set.

    Joins the transaction of the caller, who has locked the row.
    """
    before = api_key.status
    api_key.status, api_key.status_reason = status, reason[:300]
    if status not in _WAITING:
        api_key.cooling_until = None
    api_key.save(update_fields=["status", "status_reason", "cooling_until", "suspended_times"])
    audit.record(
        actor=actor,
        action=Action.KEY_CHANGE_STATUS,
        subject=api_key.scope,
        before={"status": before},
        after={"status": status},
        reason=reason,
        at=now,
    )
