"""Rotate allocations off keys that cannot serve them, as far as other keys can take them."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from keys.books.queries.freezes import frozen_keys
from keys.books.services.rotate import rotate
from keys.models import ROTATION_NEEDED, Allocation, ApiKey
from keys.refusals import AllocationClosed, RotationRefused
from security.actor import Actor

_STATUS = ApiKey.Status
_CANNOT_SERVE = (_STATUS.BROKEN, _STATUS.INACTIVE, _STATUS.COOLING, _STATUS.SUSPENDED)
_SWEEP = Actor.job("sweep")


def rotate_away(slug: str, *, now: datetime) -> tuple[int, int]:
    """Rotate live allocations off an API key that cannot serve.

    Returns how many moved, and how many stayed because no other key can take them.
    """
    live = Allocation.objects.filter(api_key=slug, status="active", expires_at__gt=now)
    return _rotate_each(live, reason=f"{slug} cannot serve", now=now)


def rotate_stranded(*, now: datetime) -> tuple[int, int]:
    """Rotate allocations that are on keys that cannot serve, or that crossed their threshold.

    Returns how many moved and how many stayed. A sweep for what a crash left undone, or what no
    other key could take before.
    """
    live = Allocation.objects.filter(status="active", expires_at__gt=now)
    frozen = frozen_keys()
    unable = live.filter(Q(api_key__status__in=_CANNOT_SERVE) | Q(api_key__in=frozen))
    crossed = live.filter(ROTATION_NEEDED, auto_rotate=True)
    return _rotate_each((unable | crossed).distinct(), reason="rotated by the sweep", now=now)


def _rotate_each(
    allocations: Iterable[Allocation], *, reason: str, now: datetime
) -> tuple[int, int]:
    moved = stayed = 0
    for allocation in allocations:
        try:
            rotate(allocation=allocation, reason=reason, actor=_SWEEP, now=now)
            moved += 1
        except (RotationRefused, AllocationClosed):
            stayed += 1
    return moved, stayed
