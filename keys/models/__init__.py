"""Tables of the Token Manager. State machines are drawn in the docstrings."""

from keys.models.allocations import (
    ROTATION_NEEDED,
    Allocation,
    Charge,
    Decision,
    RateLease,
    Rotation,
)
from keys.models.history import History
from keys.models.imported import ImportedState
from keys.models.limits import Limit, Period, Unit, Window
from keys.models.people import Agent, AgentToken, CostCentre
from keys.models.slots import Slot
from keys.models.supply import ApiKey, Price, Provider, WireFormat

__all__ = [
    "ROTATION_NEEDED",
    "Agent",
    "AgentToken",
    "Allocation",
    "ApiKey",
    "Charge",
    "CostCentre",
    "Decision",
    "History",
    "ImportedState",
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
