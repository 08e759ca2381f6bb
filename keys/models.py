"""Tables of the Token Manager. State machines are drawn in the docstrings."""

from keys.books.models.adjustments import FIGURES, Adjustment, SettledUsage
from keys.books.models.allocations import (
    ROTATION_NEEDED,
    Allocation,
    Charge,
    Decision,
    ModelMismatch,
    RateLease,
    Rotation,
)
from keys.books.models.books_checks import BooksCheck
from keys.books.models.freezes import EVERYTHING, Freeze, FreezeMode
from keys.books.models.partitions import ChargePartition
from keys.books.models.rotation_runs import RotationRun
from keys.books.models.slices import MEASURES, StaleUsage, UsageDay, UsageRollup, UsageSlice
from keys.books.models.slots import Slot
from keys.identity.models.agents import Agent, AgentToken, CostCentre
from keys.identity.models.organisation import CHARGES_KEPT_MONTHS_MIN, Organisation
from keys.identity.models.placements import Placement
from keys.limits.models import Grant, Limit, Period, Unit, Window
from keys.limits.threshold_models import ThresholdCrossing
from keys.supply.model_policies import ModelAlias, ModelFallback
from keys.supply.models import (
    ApiKey,
    CatalogueModel,
    Price,
    Provider,
    ServedModel,
    WireFormat,
)

__all__ = [
    "CHARGES_KEPT_MONTHS_MIN",
    "EVERYTHING",
    "FIGURES",
    "MEASURES",
    "ROTATION_NEEDED",
    "Adjustment",
    "Agent",
    "AgentToken",
    "Allocation",
    "ApiKey",
    "BooksCheck",
    "CatalogueModel",
    "Charge",
    "ChargePartition",
    "CostCentre",
    "Decision",
    "Grant",
    "Freeze",
    "FreezeMode",
    "Limit",
    "ModelAlias",
    "ModelFallback",
    "ModelMismatch",
    "Organisation",
    "Period",
    "Placement",
    "Price",
    "Provider",
    "RateLease",
    "Rotation",
    "RotationRun",
    "ServedModel",
    "SettledUsage",
    "Slot",
    "StaleUsage",
    "ThresholdCrossing",
    "Unit",
    "UsageDay",
    "UsageRollup",
    "UsageSlice",
    "Window",
    "WireFormat",
]
