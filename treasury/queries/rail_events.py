"""Reads of events of vendors."""

from datetime import datetime, timedelta

from treasury.models import EventStatus, RailEvent

# Its job takes it at once; what is left after that was lost.
_JOB_TAKES = timedelta(minutes=1)
_TRIES_MAX, _AT_ONCE = 10, 50


def events_to_read(*, now: datetime) -> list[int]:
    """The ids of events that nobody has read, the oldest first, fifty at most."""
    waiting = RailEvent.objects.filter(
        status=EventStatus.RECEIVED, received_at__lte=now - _JOB_TAKES, tries__lt=_TRIES_MAX
    )
    return list(waiting.order_by("received_at").values_list("pk", flat=True)[:_AT_ONCE])
