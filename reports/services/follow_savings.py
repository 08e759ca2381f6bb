"""Follow proposals: lend the cheaper API key first, pause an idle one."""

from datetime import datetime

from django.db import transaction

from keys import services as keys
from keys.models import ApiKey
from keys.reasons import check_reason
from keys.refusals import ApiKeyNotFound
from prediction import services as prediction
from prediction.models import Saving
from security.actor import Actor


@transaction.atomic(durable=True)
def prefer_key(saving: int, *, reason: str, actor: Actor, now: datetime) -> tuple[Saving, ApiKey]:
    """Give the cheaper key of an open proposal a higher priority than the dearer one has.

    Where it has one already, only the proposal is done. Refusals: WrongValue, WrongValue,
    SavingClosed, ApiKeyNotFound.
    """
    check_reason(reason)
    row = prediction.lock_saving(saving)
    prediction.follow_saving(row, reason=reason, actor=actor, now=now)
    slugs = [row.evidence["from_key"], row.evidence["to_key"]]
    both = ApiKey.objects.filter(pk__in=slugs).order_by("pk").select_for_update(no_key=True)
    found = {each.pk: each for each in both}
    if missing := [slug for slug in slugs if slug not in found]:
        raise ApiKeyNotFound(key_id=missing[0])
    dear, cheap = (found[slug] for slug in slugs)
    if cheap.priority <= dear.priority:
        changes: dict[str, object] = {"priority": dear.priority + 1}
        cheap = keys.change_key(cheap.pk, changes=changes, actor=actor, reason=reason, now=now)
    return row, cheap


def pause_key(saving: int, *, reason: str, actor: Actor, now: datetime) -> tuple[Saving, ApiKey]:
    """Switch the key of an open proposal off.

    Two transactions: after a crash between them, the proposal is gone with the next search.
    Refusals: WrongValue, SavingClosed, ApiKeyNotFound.
    """
    check_reason(reason)
    slug = prediction.open_saving(saving).subject.removeprefix("key:")
    key = keys.set_key_status(slug, status="inactive", reason=reason, actor=actor, now=now)
    return _followed(saving, reason=reason, actor=actor, now=now), key


@transaction.atomic(durable=True)
def _followed(saving: int, *, reason: str, actor: Actor, now: datetime) -> Saving:
    row = prediction.lock_saving(saving)
    prediction.follow_saving(row, reason=reason, actor=actor, now=now)
    return row
