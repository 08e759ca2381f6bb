"""The admin of the app: keys, agents and cost centres with their limits; the books, read-only."""

from keys.admin.adjustment import AdjustmentAdmin
from keys.admin.agent import AgentAdmin
from keys.admin.agent_token import AgentTokenAdmin
from keys.admin.allocation import AllocationAdmin
from keys.admin.api_key import ApiKeyAdmin
from keys.admin.catalogue_model import CatalogueModelAdmin
from keys.admin.charge import ChargeAdmin
from keys.admin.cost_centre import CostCentreAdmin
from keys.admin.freeze import FreezeAdmin
from keys.admin.grant import GrantAdmin
from keys.admin.model_alias import ModelAliasAdmin
from keys.admin.model_fallback import ModelFallbackAdmin
from keys.admin.price import PriceAdmin
from keys.admin.provider import ProviderAdmin
from keys.admin.slot import SlotAdmin
from keys.admin.window import WindowAdmin

__all__ = [
    "AdjustmentAdmin",
    "AgentAdmin",
    "AgentTokenAdmin",
    "AllocationAdmin",
    "ApiKeyAdmin",
    "CatalogueModelAdmin",
    "ChargeAdmin",
    "CostCentreAdmin",
    "GrantAdmin",
    "FreezeAdmin",
    "ModelAliasAdmin",
    "ModelFallbackAdmin",
    "PriceAdmin",
    "ProviderAdmin",
    "SlotAdmin",
    "WindowAdmin",
]
