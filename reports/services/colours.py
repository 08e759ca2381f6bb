"""Give colours to what charts show for the first time."""

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count

from reports.models import ColourSlot
from reports.models.colours import COLOURS


@transaction.atomic(durable=True)
def assign_colours(kind: str, names: Sequence[str]) -> None:
    """Give each of `names` the colour that the fewest of its kind have.

    A name that has a colour keeps it, also one that another page gives a colour at the same time.
    """
    counts = ColourSlot.objects.filter(kind=kind).values("slot").annotate(number=Count("pk"))
    used = Counter({each["slot"]: each["number"] for each in counts})
    slots: dict[str, int] = {}
    for name in names:
        slots[name] = min(range(COLOURS), key=lambda slot: (used[slot], slot))
        used[slots[name]] += 1
    # In one order, so that two pages never wait for each other.
    rows = [ColourSlot(kind=kind, name=name, slot=slots[name]) for name in sorted(slots)]
    ColourSlot.objects.bulk_create(rows, ignore_conflicts=True)
