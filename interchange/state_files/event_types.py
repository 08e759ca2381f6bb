"""The types of history entries in state files, and the audit actions that they correspond to."""

from enum import StrEnum

from interchange.audit_actions import Action
from keys.audit_actions import Action as KeysAction

_TYPES: dict[str, list[StrEnum]] = {
    "allocation": [KeysAction.ALLOCATION_CREATE],
    "rotation": [KeysAction.ALLOCATION_ROTATE],
    "usage_update": [KeysAction.CHARGE_SETTLE],
    "adjustment": [KeysAction.CHARGE_ADJUST],
    "close": [KeysAction.ALLOCATION_CLOSE],
    "extension": [KeysAction.ALLOCATION_EXTEND],
    "reset": [KeysAction.WINDOW_OPEN],
    "limit_change": [
        KeysAction.LIMIT_SET,
        KeysAction.LIMIT_REMOVE,
        KeysAction.LIMIT_SET_THRESHOLDS,
        KeysAction.GRANT_CREATE,
        KeysAction.GRANT_END,
    ],
    "key_change": [
        KeysAction.KEY_CHANGE,
        KeysAction.KEY_CREATE,
        KeysAction.KEY_CHANGE_MODELS,
        KeysAction.KEY_CHANGE_STATUS,
        KeysAction.KEY_HIDE,
        KeysAction.KEY_SHOW,
        KeysAction.KEY_REPLACE_SECRET,
        KeysAction.PRICE_SET,
    ],
    "agent_change": [
        KeysAction.AGENT_CHANGE,
        KeysAction.AGENT_CREATE,
        KeysAction.AGENT_RENAME,
        KeysAction.AGENT_MOVE,
        KeysAction.AGENT_DISABLE,
        KeysAction.AGENT_ENABLE,
        KeysAction.TOKEN_ISSUE,
        KeysAction.TOKEN_REVOKE,
    ],
    "provider_change": [KeysAction.PROVIDER_CHANGE, KeysAction.PROVIDER_CREATE],
    "import": [Action.STATE_IMPORT, KeysAction.USAGE_IMPORT],
}
# The action of an imported entry: the first of its type.
ACTION_OF_TYPE = {kind: actions[0] for kind, actions in _TYPES.items()}
# The type of an exported entry. Actions that the format does not know are not exported.
TYPE_OF_ACTION: dict[str, str] = {
    action: kind for kind, actions in _TYPES.items() for action in actions
}
