"""The rails of this installation."""

from django.conf import settings

from treasury.rails.base import Rail
from treasury.rails.simulator.rail import SimulatorRail
from treasury.refusals import RailNotFound


def all_rails() -> dict[str, Rail]:
    """The rails that are set up, by name."""
    rails: list[Rail] = []
    if settings.SIMULATOR_URL:
        rails.append(SimulatorRail(settings.SIMULATOR_URL))
    return {rail.name: rail for rail in rails}


def rail_named(name: str) -> Rail:
    """The rail with this name. Refusals: RailNotFound."""
    found = all_rails().get(name)
    if found is None:
        raise RailNotFound(rail=name)
    return found
