"""Tell people when the audit chain stands still or was cut, and send them its checkpoints."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction

from alerts import services as alerts
from gate.alert_kinds import AUDIT_CHECKPOINT, AUDIT_TRUNCATED, AUDIT_UNSEALED
from security.actor import Actor
from security.audit_chain import checkpoint_file, tail
from security.audit_chain.checkpoint import Malformed
from security.audit_chain.checkpoint_file import ChainTruncated
from security.audit_chain.verify import LAG_MAX
from security.models import Seal

_ACTOR = Actor.job("audit chain")


def alert_of_unsealed_rows(*, now: datetime) -> None:
    """Raise an alert while rows wait for more than a minute, and resolve it after that."""
    if detail := "\n".join(_delays(now)):
        _raise_unsealed(detail, now=now)
    else:
        alerts.resolve_by_key(
            AUDIT_UNSEALED.slug, actor=_ACTOR, note="All rows are sealed.", now=now
        )


def keep_checkpoint(*, now: datetime) -> None:
    """Append the signed head to the file outside, or alert people if the file has a longer chain.

    A second call changes nothing.
    """
    try:
        checkpoint_file.append(settings.AUDIT_CHECKPOINTS)
    except (ChainTruncated, Malformed) as found:
        _raise_truncated(str(found), now=now)


@transaction.atomic
def send_checkpoint(*, now: datetime) -> None:
    """Send the signed head, as an alert that nobody needs to resolve."""
    if (latest := checkpoint_file.latest()) is None:
        return
    seal, note = latest
    dedup_key = f"{AUDIT_CHECKPOINT.slug}:{seal.number}"
    alerts.raise_alert(
        kind=AUDIT_CHECKPOINT,
        dedup_key=dedup_key,
        title=f"Checkpoint of the audit chain over {seal.size} rows",
        detail=note,
        facts={"seal": seal.number},
        now=now,
    )
    alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="Sent.", now=now)


def _delays(now: datetime) -> Iterator[str]:
    """Sentences about rows that wait too long, and about what holds others back."""
    waiting = tail.unsealed_tail()
    if waiting.age(now) > LAG_MAX:
        yield f"{waiting}, the oldest since {_time(waiting.oldest_at)}."
    for each in tail.long_transactions(before=now - LAG_MAX):
        program = each.program or "a program without a name"
        yield (
            f"A transaction of {program} (process {each.process_id} of the database, user "
            f"{each.user}) has been open since {_time(each.since)}."
        )


@transaction.atomic
def _raise_unsealed(detail: str, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=AUDIT_UNSEALED,
        dedup_key=AUDIT_UNSEALED.slug,
        title="The audit chain stands still",
        detail=detail,
        facts=_last_seal(),
        now=now,
    )


@transaction.atomic
def _raise_truncated(detail: str, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=AUDIT_TRUNCATED,
        dedup_key=AUDIT_TRUNCATED.slug,
        title="The audit chain is shorter than a checkpoint of it",
        detail=detail,
        facts=_last_seal(),
        now=now,
    )


def _last_seal() -> dict[str, int]:
    """The fact that the page of the remedy needs; none before the first seal."""
    number = Seal.objects.values_list("number", flat=True).first()
    return {} if number is None else {"seal": number}


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
