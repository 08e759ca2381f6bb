"""The settings of the organisation."""

from keys.models import Organisation


def organisation() -> Organisation:
    """The organisation, in one query; before its first change, one of defaults."""
    return Organisation.objects.first() or Organisation()
