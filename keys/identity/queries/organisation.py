"""The settings of the organisation."""

from typing import cast

from django.utils.functional import SimpleLazyObject

from keys.limits.periods import Calendar
from keys.models import Organisation


def organisation() -> Organisation:
    """The organisation, in one query; before its first change, one of defaults."""
    return Organisation.objects.first() or Organisation()


def calendar() -> Calendar:
    """When the organisation's weeks and fiscal years begin; read once, when it is first needed."""

    def read() -> Calendar:
        row = organisation()
        return Calendar(row.week_starts, row.fiscal_year_starts)

    return cast(Calendar, SimpleLazyObject(read))
