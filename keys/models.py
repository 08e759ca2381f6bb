"""Tables of the Token Manager. State machines are drawn in the docstrings."""

from keys.books.models.allocations import (
    ROTATION_NEEDED,
    Allocation,
    Charge,
    Decision,
    RateLease,
    Rotation,
)
from keys.books.models.slots import Slot
from keys.identity.models import Agent, AgentToken, CostCentre
from keys.limits.models import Limit, Period, Unit, Window
from keys.supply.models import ApiKey, Price, Provider, WireFormat

__all__ = [
    "ROTATION_NEEDED",
    "Agent",
    "AgentToken",
    "Allocation",
    "ApiKey",
    "Charge",
    "CostCentre",
    "Decision",
    "Limit",
    "Period",
    "Price",
    "Provider",
    "RateLease",
    "Rotation",
    "Slot",
    "Unit",
    "Window",
    "WireFormat",
]
