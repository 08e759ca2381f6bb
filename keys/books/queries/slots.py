"""Reads of slots: their tokens, and the session that occupies each."""

from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from keys.models import Allocation, Slot
from keys.supply.queries.upstreams import SESSION_COLUMNS, Session
from security import tokens

SLOT_PREFIX = "bk"


def slot_token(slug: str) -> str:
    """The token of a slot, which is computed and stored nowhere."""
    return tokens.derive_token(SLOT_PREFIX, slug)


@sensitive_variables("token")
def slot_of(token: str) -> str | None:
    """The slug of the slot that `token` belongs to; None if it is not a valid token of a slot.

    Reads no row: the slot may have been removed.
    """
    return tokens.verify_derived(token, SLOT_PREFIX)


def session_in_slot(slug: str) -> Session | None:
    """The session that pays for the slot's calls now; None when the slot is free."""
    sessions = Allocation.objects.filter(slot=slug).values_list(*SESSION_COLUMNS)
    return next(map(Session._make, sessions), None)


def taken_slots(*, runner: str) -> QuerySet[Slot]:
    """The occupied slots of a runner, each with its allocation."""
    occupied = Slot.objects.filter(runner=runner, allocation__isnull=False)
    return occupied.select_related("allocation")
