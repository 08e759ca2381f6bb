"""The colours of the groups of a chart."""

import logging
from collections.abc import Mapping, Sequence

from django.db import DatabaseError

from reports import queries
from reports import services as reports
from reports.models.colours import COLOURS

_logger = logging.getLogger(__name__)


def colours_of(kind: str, groups: Sequence[str]) -> dict[str, int]:
    """The colour of each of at most eight groups, the largest first; one query.

    It is the stored one, so each group has it in every chart. Only where two groups of this chart
    have the same, the smaller takes one that is free. What is shown for the first time gets a
    colour that is stored; if that fails, the page is shown all the same.
    """
    stored = queries.colour_slots(kind, groups)
    if missing := [group for group in groups if group not in stored]:
        try:
            reports.assign_colours(kind, missing)
        except DatabaseError:
            _logger.warning("Colours of %s could not be stored.", kind, exc_info=True)
        stored = queries.colour_slots(kind, groups)
    return _distinct(groups, stored)


def _distinct(groups: Sequence[str], stored: Mapping[str, int]) -> dict[str, int]:
    slots: dict[str, int] = {}
    for group in groups:
        if group in stored and stored[group] not in slots.values():
            slots[group] = stored[group]
    free = [slot for slot in range(COLOURS) if slot not in slots.values()]
    for group in groups:
        if group not in slots:
            slots[group] = free.pop(0)
    return slots
