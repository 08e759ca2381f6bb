"""Reads of collections, and of events of vendors."""

from datetime import datetime, timedelta

from treasury.models import Collection, EventStatus, RailEvent

# Its job takes it at once; what is left after that was lost.
_JOB_TAKES = timedelta(minutes=1)
_TRIES_MAX, _AT_ONCE = 10, 50


def events_to_read(*, now: datetime) -> list[int]:
    """The ids of events that nobody has read, the oldest first, fifty at most."""
    waiting = RailEvent.objects.filter(
        status=EventStatus.RECEIVED, received_at__lte=now - _JOB_TAKES, tries__lt=_TRIES_MAX
    )
    return list(waiting.order_by("received_at").values_list("pk", flat=True)[:_AT_ONCE])


def due_collections(*, now: datetime) -> list[int]:
    """The ids of collections about which a rail is asked now, fifty at most."""
    due = Collection.objects.filter(ask_at__lte=now)
    return list(due.order_by("ask_at", "pk").values_list("pk", flat=True)[:_AT_ONCE])
