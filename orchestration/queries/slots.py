"""Slots whose attempts are over."""

from django.db.models import QuerySet

from keys.books.queries.slots import taken_slots
from keys.models import Slot
from orchestration.models import Attempt


def abandoned_slots(*, runner: str) -> QuerySet[Slot]:
    """Where an allocation sits whose attempt does not run."""
    running = Attempt.objects.filter(status=Attempt.Status.RUNNING).values("session_id")
    return taken_slots(runner=runner).exclude(allocation__session_id__in=running)


def attempt_runs(session_id: str) -> bool:
    """Whether somebody still carries this attempt out."""
    found = Attempt.objects.filter(session_id=session_id, status=Attempt.Status.RUNNING)
    return found.exists()
