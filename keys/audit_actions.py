"""What `keys` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on allocations, limits, keys, prices, providers, agents, tokens, slots, freezes."""

    ALLOCATION_CREATE = "allocation.create"
    ALLOCATION_ROTATE = "allocation.rotate"
    ALLOCATION_EXTEND = "allocation.extend"
    ALLOCATION_CLOSE = "allocation.close"
    # A settled charge is its own record: `queries.history` shows it under this action. Only what a
    # state file says of calls is an entry.
    CHARGE_SETTLE = "charge.settle"
    CHARGE_ADJUST = "charge.adjust"
    # By retention: all of a month.
    CHARGES_DELETE = "charges.delete"
    USAGE_IMPORT = "usage.import"
    WINDOW_OPEN = "window.open"
    LIMIT_SET = "limit.set"
    LIMIT_REMOVE = "limit.remove"
    LIMIT_SET_THRESHOLDS = "limit.set_thresholds"
    GRANT_CREATE = "grant.create"
    GRANT_END = "grant.end"
    KEY_CREATE = "key.create"
    KEY_CHANGE = "key.change"
    KEY_CHANGE_MODELS = "key.change_models"
    KEY_CHANGE_STATUS = "key.change_status"
    KEY_HIDE = "key.hide"
    KEY_SHOW = "key.show"
    KEY_REPLACE_SECRET = "key.replace_secret"  # noqa: S105 - an action, no secret
    MODEL_CHANGE = "model.change"
    ALLOW_LIST_SET = "allow_list.set"
    OUTBOUND_GUARD_SET = "outbound_guard.set"
    LEARNED_HOLDS_SET = "learned_holds.set"
    MODEL_ALIAS_SET = "model_alias.set"
    MODEL_ALIAS_REMOVE = "model_alias.remove"
    MODEL_FALLBACK_SET = "model_fallback.set"
    MODEL_FALLBACK_REMOVE = "model_fallback.remove"
    PRICE_SET = "price.set"
    PROVIDER_CREATE = "provider.create"
    PROVIDER_CHANGE = "provider.change"
    ORGANISATION_CHANGE = "organisation.change"
    COST_CENTRE_CREATE = "cost_centre.create"
    COST_CENTRE_RENAME = "cost_centre.rename"
    COST_CENTRE_MOVE = "cost_centre.move"
    COST_CENTRE_CLOSE = "cost_centre.close"
    COST_CENTRE_REOPEN = "cost_centre.reopen"
    AGENT_CREATE = "agent.create"
    # Only of state files, which do not say what was changed.
    AGENT_CHANGE = "agent.change"
    AGENT_RENAME = "agent.rename"
    AGENT_MOVE = "agent.move"
    AGENT_DISABLE = "agent.disable"
    AGENT_ENABLE = "agent.enable"
    TOKEN_ISSUE = "token.issue"  # noqa: S105 - an action, no secret
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - an action, no secret
    SLOT_ADD = "slot.add"
    FREEZE_CREATE = "freeze.create"
    FREEZE_CHANGE = "freeze.change"
    FREEZE_THAW = "freeze.thaw"
