"""Slots of runners whose attempts have ended."""

from django.db.models import QuerySet

from keys.books.queries.slots import taken_slots
from keys.models import Slot
from orchestration.models import Attempt


def abandoned_slots(*, runner: str) -> QuerySet[Slot]:
    """Slots that are taken by an allocation whose attempt is not running."""
    running = Attempt.objects.filter(status=Attempt.Status.RUNNING).values("session_id")
    return taken_slots(runner=runner).exclude(allocation__session_id__in=running)


def is_attempt_running(session_id: str) -> bool:
    """Whether the attempt with this session id is running."""
    found = Attempt.objects.filter(session_id=session_id, status=Attempt.Status.RUNNING)
    return found.exists()
