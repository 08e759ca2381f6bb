"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import FilteredPage, Page

links.register(
    {
        "provider": Page("admin:keys_provider_change"),
        "providers": Page("admin:keys_provider_changelist"),
        # Those that people look at are pages of the dashboard.
        "managed_key": Page("admin:keys_apikey_change"),
        "managed_keys": Page("admin:keys_apikey_changelist"),
        "add_key": Page("admin:keys_apikey_add"),
        "model": Page("admin:keys_cataloguemodel_change"),
        "models": Page("admin:keys_cataloguemodel_changelist"),
        "model_alias": Page("admin:keys_modelalias_change"),
        "model_aliases": Page("admin:keys_modelalias_changelist"),
        "model_fallback": Page("admin:keys_modelfallback_change"),
        "model_fallbacks": Page("admin:keys_modelfallback_changelist"),
        "price": Page("admin:keys_price_change"),
        "prices": Page("admin:keys_price_changelist"),
        # Likewise.
        "managed_agent": Page("admin:keys_agent_change"),
        "managed_agents": Page(
            "admin:keys_agent_changelist", {"cost_centre": "cost_centre__exact"}
        ),
        "agent_token": Page("admin:keys_agenttoken_change"),
        "agent_tokens": Page("admin:keys_agenttoken_changelist"),
        "centre": Page("admin:keys_costcentre_change"),
        "centres": Page("admin:keys_costcentre_changelist", {"parent": "parent__exact"}),
        "grant": Page("admin:keys_grant_change"),
        "grants": Page("admin:keys_grant_changelist", {"scope": "q"}),
        "window": Page("admin:keys_window_change"),
        "windows": Page(
            "admin:keys_window_changelist",
            {
                "of": "of",
                "unit": "unit__exact",
                "period": "limit__period__exact",
                "limit": "limit__id__exact",
            },
        ),
        "allocation": Page("admin:keys_allocation_change"),
        "allocations": Page(
            "admin:keys_allocation_changelist",
            {
                "which": "which",
                "status": "status__exact",
                "agent": "agent__exact",
                "api_key": "api_key__exact",
                "cost_centre": "cost_centre__exact",
                "session": "q",
            },
        ),
        "session": FilteredPage("allocations", by="session"),
        # Those that people read are pages of the dashboard.
        "recorded_charge": Page("admin:keys_charge_change"),
        "recorded_charges": Page("admin:keys_charge_changelist", {"price": "price__exact"}),
        "adjustment": Page("admin:keys_adjustment_change"),
        "adjustments": Page("admin:keys_adjustment_changelist", {"charge": "charge__id__exact"}),
        "slot": Page("admin:keys_slot_change"),
        "slots": Page("admin:keys_slot_changelist"),
        "freeze": Page("admin:keys_freeze_change"),
        "freezes": Page("admin:keys_freeze_changelist", {"scope": "scope__exact"}),
    }
)
