"""Slots, their tokens, and the sessions that sit in them."""

from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from keys.models import Allocation, Slot
from keys.supply.queries.upstreams import SESSION_COLUMNS, Session
from security import tokens

SLOT_PREFIX = "bk"


def slot_token(slug: str) -> str:
    """The secret of a slot, computed and kept nowhere."""
    return tokens.derive_token(SLOT_PREFIX, slug)


@sensitive_variables("token")
def slot_of(token: str) -> str | None:
    """The slot a token speaks for; None when it is no genuine slot's token. Asks no row."""
    return tokens.verify_derived(token, SLOT_PREFIX)


def session_in_slot(slug: str) -> Session | None:
    """Who pays for the slot's calls now; None when nobody sits there."""
    found = Allocation.objects.filter(slot=slug).values_list(*SESSION_COLUMNS)
    return next(map(Session._make, found), None)


def taken_slots(*, runner: str) -> QuerySet[Slot]:
    """Where somebody sits, with the allocation."""
    taken = Slot.objects.filter(runner=runner, allocation__isnull=False)
    return taken.select_related("allocation")
