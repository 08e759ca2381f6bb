"""The consequences of a settlement: alerts, closed allocations, exhausted keys, rotations."""

from collections.abc import Iterable
from datetime import datetime

from alerts import services as alerts
from keys import alert_kinds
from keys.audit_actions import Action
from keys.books import transactions
from keys.books.services.rotate import rotate
from keys.books.sql.spend import Spent
from keys.limits.services.thresholds import raise_crossed
from keys.models import Allocation, ApiKey
from keys.refusals import AllocationClosed, RotationRefused
from security import audit
from security.actor import Actor

_BOOKS = Actor.job("books")
_THRESHOLD = Actor.job("threshold")


def follow(spent: list[Spent], *, at: datetime) -> list[Spent]:
    """Raise alerts and close what is used up, in the settlement's transaction; returns `spent`."""
    for row in spent:
        if row.crossed:
            _raise_rotation_alert(row, at=at)
        if row.used_up:
            _close_used_up(row, at=at)
        if row.expired:
            _raise_hold_alert(row, row.expired, at=at)
    # The same for every row: the statement reports keys and windows, not allocations.
    if spent and spent[0].full_keys:
        _exhaust_keys([scope.removeprefix("key:") for scope in spent[0].full_keys], at=at)
    if spent and spent[0].warned_windows:
        raise_crossed(spent[0].warned_windows, at=at)
    return spent


def rotate_crossed(spent: Iterable[Spent], *, now: datetime) -> None:
    """Rotate allocations that crossed their threshold, if they rotate automatically.

    An allocation that no other key can take stays on its key.
    """
    for row in spent:
        if row.crossed and row.auto_rotate and not row.used_up:
            try:
                rotate(
                    allocation=Allocation.objects.get(pk=row.id),
                    reason="threshold reached",
                    actor=_THRESHOLD,
                    now=now,
                )
            except (RotationRefused, AllocationClosed):
                # The alert stays open, and the sweep tries again.
                continue


def _raise_rotation_alert(row: Spent, *, at: datetime) -> None:
    alerts.raise_alert(
        kind=alert_kinds.ROTATION_NEEDED,
        dedup_key=f"rotation_needed:{row.session_id}",
        title=f"{row.session_id} used {row.used:,} of {row.allocated:,} tokens",
        detail=f"The session reached its rotation threshold on the API key {row.api_key_id}.",
        facts={"used": row.used, "allocated": row.allocated, "key_id": row.api_key_id},
        key_id=row.api_key_id,
        agent_id=row.agent_id,
        session_id=row.session_id,
        now=at,
    )


def _raise_hold_alert(row: Spent, charges: list[int], *, at: datetime) -> None:
    alerts.raise_alert(
        kind=alert_kinds.HOLD_CHARGED,
        dedup_key=f"hold_charged:{row.session_id}",
        title=f"{row.session_id} was charged for calls whose end is unknown",
        detail=f"The holds of {len(charges):,} calls expired. They were charged {row.tokens:,} "
        f"tokens ({row.cost:f} USD), all that was held.",
        facts={"charges": charges, "tokens": row.tokens, "cost": f"{row.cost:f}"},
        key_id=row.api_key_id,
        agent_id=row.agent_id,
        session_id=row.session_id,
        now=at,
    )


def _close_used_up(row: Spent, *, at: datetime) -> None:
    over = max(row.used - row.allocated, 0)
    closed = transactions.close(
        [row.id],
        status=Allocation.Status.EXHAUSTED,
        reason=_closing_reason(row, over),
        actor=_BOOKS,
        at=at,
    )
    # Usage that is reported after the closing raises the alert only if it exceeds the allocation.
    if closed or over:
        _raise_used_up_alert(row, over, at=at)


def _closing_reason(row: Spent, over: int) -> str:
    if over:
        return f"overrun by {over:,} tokens"
    return "a call used more than it held" if row.overrun else "every token is used"


def _raise_used_up_alert(row: Spent, over: int, *, at: datetime) -> None:
    used_all = row.used >= row.allocated
    kind = alert_kinds.SESSION_EXHAUSTED if used_all else alert_kinds.SESSION_OVERRUN
    alerts.raise_alert(
        kind=kind,
        dedup_key=f"{kind.slug}:{row.session_id}",
        title=f"{row.session_id} used {row.used:,} of {row.allocated:,} tokens and was closed",
        detail=f"{_closing_reason(row, over).capitalize()}.",
        facts={"used": row.used, "allocated": row.allocated, "overrun": over},
        key_id=row.api_key_id,
        agent_id=row.agent_id,
        session_id=row.session_id,
        now=at,
    )


def _exhaust_keys(slugs: list[str], *, at: datetime) -> None:
    for slug in slugs:
        exhausted = ApiKey.objects.filter(slug=slug, status=ApiKey.Status.ACTIVE).update(
            status=ApiKey.Status.EXHAUSTED, status_reason="a limit is used up"
        )
        if not exhausted:
            continue
        audit.record(
            actor=_BOOKS,
            action=Action.KEY_CHANGE_STATUS,
            subject=f"key:{slug}",
            before={"status": ApiKey.Status.ACTIVE},
            after={"status": ApiKey.Status.EXHAUSTED},
            reason="a limit is used up",
            at=at,
        )
        alerts.raise_alert(
            kind=alert_kinds.KEY_EXHAUSTED,
            dedup_key=f"key_exhausted:{slug}",
            title=f"{slug} has used up a limit",
            key_id=slug,
            now=at,
        )
