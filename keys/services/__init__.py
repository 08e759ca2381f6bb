"""Every write of the Token Manager, and the refusals that go with it."""

from keys.books import open_windows, plan_for_calls
from keys.services.allocate import allocate
from keys.services.closing import (
    complete,
    expire_allocations,
    expire_charges,
    extend,
    fail,
    forget_leases,
)
from keys.services.deciding import check_known
from keys.services.hold import Held, Wanted, extend_holds, hold, hold_many
from keys.services.importing import Imported, exported_state, import_state
from keys.services.key_status import (
    key_refused,
    revive_keys,
    rotate_away,
    rotate_stranded,
    set_key_status,
)
from keys.services.limits import Terms, remove_limit, set_limit
from keys.services.people import (
    create_agent,
    create_cost_centre,
    disable_agent,
    enable_agent,
    issue_token,
    revoke_token,
)
from keys.services.rotate import rotate
from keys.services.settle import Ended, Ending, Usage, end_many, release, settle, settle_many
from keys.services.slots import add_slots, free_slot, note_slot_refusal, take_slot
from keys.services.supply import (
    KeyTerms,
    add_key,
    add_provider,
    change_key,
    change_provider,
    replace_secret,
    set_price,
)
from keys.services.token_use import note_token_use
from keys.services.usage import report_usage
from keys.services.wish import REFUSAL_STATUSES, Wish

__all__ = [
    "REFUSAL_STATUSES",
    "Ended",
    "Ending",
    "Held",
    "Imported",
    "KeyTerms",
    "Terms",
    "Usage",
    "Wanted",
    "Wish",
    "add_key",
    "add_provider",
    "add_slots",
    "allocate",
    "change_key",
    "change_provider",
    "check_known",
    "complete",
    "create_agent",
    "create_cost_centre",
    "disable_agent",
    "enable_agent",
    "end_many",
    "expire_allocations",
    "expire_charges",
    "exported_state",
    "extend",
    "extend_holds",
    "fail",
    "forget_leases",
    "free_slot",
    "hold",
    "hold_many",
    "import_state",
    "issue_token",
    "key_refused",
    "note_slot_refusal",
    "note_token_use",
    "open_windows",
    "plan_for_calls",
    "release",
    "remove_limit",
    "replace_secret",
    "report_usage",
    "revive_keys",
    "revoke_token",
    "rotate",
    "rotate_away",
    "rotate_stranded",
    "set_key_status",
    "set_limit",
    "set_price",
    "settle",
    "settle_many",
    "take_slot",
]
