"""The colours of the groups of a chart."""

import logging
from collections.abc import Mapping, Sequence

from django.db import DatabaseError

from reports import queries
from reports import services as reports
from reports.models.colours import COLOURS

_logger = logging.getLogger(__name__)
# A colour never changes once it is stored, so a process reads each of them once.
_known: dict[tuple[str, str], int] = {}
_KNOWN_MAX = 10_000


def colours_of(kind: str, groups: Sequence[str]) -> dict[str, int]:
    """The colour of each of at most eight groups, the largest first; at most one query, unless a
    group is shown for the first time.

    It is the stored one, so each group has it in every chart. Only where two groups of this chart
    have the same, the smaller takes one that is free. What is shown for the first time gets a
    colour that is stored; if that fails, the page is shown all the same.
    """
    stored = _stored(kind, groups)
    if missing := [group for group in groups if group not in stored]:
        try:
            reports.assign_colours(kind, missing)
        except DatabaseError:
            _logger.warning("Colours of %s could not be stored.", kind, exc_info=True)
        stored = _stored(kind, groups)
    return _distinct(groups, stored)


def _stored(kind: str, groups: Sequence[str]) -> dict[str, int]:
    slots = {group: _known[kind, group] for group in groups if (kind, group) in _known}
    if unknown := [group for group in groups if group not in slots]:
        found = queries.colour_slots(kind, unknown)
        if len(_known) > _KNOWN_MAX:
            _known.clear()
        _known.update({(kind, group): slot for group, slot in found.items()})
        slots |= found
    return slots


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
