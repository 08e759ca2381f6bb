"""The colours that charts use."""

from collections.abc import Sequence

from reports.models import ColourSlot


def colour_slots(kind: str, names: Sequence[str]) -> dict[str, int]:
    """The colour of each of `names` that has one."""
    rows = ColourSlot.objects.filter(kind=kind, name__in=names)
    return dict(rows.values_list("name", "slot"))
