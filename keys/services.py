"""Every write of the Token Manager, and the refusals that go with it."""

from keys.books.services.adjust import adjust_charge
from keys.books.services.allocate import allocate
from keys.books.services.allocation_request import (
    REFUSAL_STATUSES,
    TASK_LABEL,
    AllocationRequest,
)
from keys.books.services.check_books import (
    BOOKS_CHECK_SECONDS_MAX,
    begin_books_check,
    finish_books_check,
)
from keys.books.services.close import (
    complete,
    expire_allocations,
    expire_charges,
    extend,
    fail,
    forget_leases,
)
from keys.books.services.close_cost_centre import close_cost_centre, reopen_cost_centre
from keys.books.services.end_work import OpenWorkRule
from keys.books.services.freezes import freeze, thaw
from keys.books.services.hide_key import hide_key, show_key
from keys.books.services.hold import (
    HoldRequest,
    extend_holds,
    hold,
    hold_as_guest,
    hold_many,
    holding,
)
from keys.books.services.import_books import (
    ImportedAllocation,
    ImportedBooks,
    ImportedCharge,
    ImportedStatus,
    import_books,
)
from keys.books.services.import_sessions import (
    IMPORTED_CHARGE,
    CallKind,
    PastCall,
    PastSession,
    import_sessions,
)
from keys.books.services.import_usage import KnownUsage, import_usage, known_usage
from keys.books.services.key_selection import check_known
from keys.books.services.move import move_agent, move_cost_centre
from keys.books.services.partition_charges import (
    PARTITION_TIME,
    PARTITIONED_AFTER,
    complete_partitions,
    partition_charges,
)
from keys.books.services.report_usage import report_usage
from keys.books.services.retention import (
    charges_due,
    delete_old_charges,
    kept_for,
    propose_retention,
)
from keys.books.services.roll_up_usage import roll_up_usage
from keys.books.services.rotate import rotate
from keys.books.services.rotate_sessions import (
    ask_rotation,
    resume_rotations,
    rotate_sessions,
)
from keys.books.services.rotate_stranded import rotate_away, rotate_stranded
from keys.books.services.settle import (
    Settlement,
    SettlementResult,
    end_many,
    end_plain,
    end_rest,
    release,
    settle,
    settle_many,
)
from keys.books.services.slots import add_slots, free_slot, note_slot_refusal, take_slot
from keys.books.services.usage import Usage
from keys.books.sql.allocate import allocate_and
from keys.books.sql.hold import HoldResult
from keys.database import SETTINGS_FOR_CALLS, plan_for_calls
from keys.identity.services.agents import (
    ROOT_COST_CENTRE,
    create_agent_without_limits,
    create_cost_centre,
    disable_agent,
    enable_agent,
    ensure_cost_centre,
    ensure_cost_centre_below_root,
    issue_token,
    revoke_token,
)
from keys.identity.services.allow_lists import set_allow_list
from keys.identity.services.inherited_settings import set_learned_holds, set_outbound_guard
from keys.identity.services.organisation import OrganisationChanges, change_organisation
from keys.identity.services.rename import rename_agent, rename_cost_centre
from keys.identity.services.token_use import note_token_use
from keys.limits.services.grants import end_grant, grant, record_ended_grants
from keys.limits.services.limits import Terms, limit_in_force, remove_limit, set_limit, subject_at
from keys.limits.services.new_agents import create_agent, create_agent_of
from keys.limits.services.propose_limit import propose_limit, propose_limit_removal
from keys.limits.services.thresholds import set_thresholds, watch_thresholds
from keys.limits.services.windows import open_past_windows, open_windows, take_books_alone
from keys.supply.services.api_keys import (
    KeyTerms,
    add_key,
    change_key,
    replace_secret,
    set_price,
)
from keys.supply.services.key_status import revive_keys, set_key_status
from keys.supply.services.model_aliases import remove_model_alias, set_model_alias
from keys.supply.services.model_catalogue import change_model, refresh_catalogue
from keys.supply.services.model_fallbacks import remove_model_fallback, set_model_fallback
from keys.supply.services.propose_price import propose_price, propose_served_models
from keys.supply.services.providers import add_provider, change_provider
from keys.supply.services.refuse_key import (
    KeyFinding,
    KeyRefusal,
    key_accepted,
    key_refused,
    prolong_suspension,
)
from keys.supply.services.served_models import set_served_models

__all__ = [
    "rename_cost_centre",
    "BOOKS_CHECK_SECONDS_MAX",
    "IMPORTED_CHARGE",
    "PARTITIONED_AFTER",
    "PARTITION_TIME",
    "REFUSAL_STATUSES",
    "TASK_LABEL",
    "SettlementResult",
    "Settlement",
    "HoldResult",
    "ImportedAllocation",
    "CallKind",
    "ImportedBooks",
    "ImportedCharge",
    "ImportedStatus",
    "KeyTerms",
    "OrganisationChanges",
    "Terms",
    "PastCall",
    "PastSession",
    "Usage",
    "HoldRequest",
    "AllocationRequest",
    "add_key",
    "add_provider",
    "add_slots",
    "adjust_charge",
    "allocate",
    "allocate_and",
    "ask_rotation",
    "begin_books_check",
    "change_key",
    "change_model",
    "change_organisation",
    "change_provider",
    "charges_due",
    "check_known",
    "complete",
    "complete_partitions",
    "ROOT_COST_CENTRE",
    "create_agent",
    "create_agent_of",
    "create_agent_without_limits",
    "ensure_cost_centre",
    "ensure_cost_centre_below_root",
    "create_cost_centre",
    "hide_key",
    "show_key",
    "rename_agent",
    "move_agent",
    "move_cost_centre",
    "OpenWorkRule",
    "reopen_cost_centre",
    "close_cost_centre",
    "delete_old_charges",
    "disable_agent",
    "enable_agent",
    "end_grant",
    "end_many",
    "end_plain",
    "end_rest",
    "expire_allocations",
    "expire_charges",
    "extend",
    "extend_holds",
    "fail",
    "finish_books_check",
    "forget_leases",
    "free_slot",
    "grant",
    "freeze",
    "hold",
    "hold_as_guest",
    "hold_many",
    "holding",
    "import_books",
    "issue_token",
    "KeyFinding",
    "KeyRefusal",
    "key_accepted",
    "key_refused",
    "prolong_suspension",
    "propose_limit",
    "propose_limit_removal",
    "propose_price",
    "propose_served_models",
    "kept_for",
    "limit_in_force",
    "note_slot_refusal",
    "note_token_use",
    "KnownUsage",
    "import_sessions",
    "import_usage",
    "known_usage",
    "open_past_windows",
    "open_windows",
    "partition_charges",
    "plan_for_calls",
    "SETTINGS_FOR_CALLS",
    "record_ended_grants",
    "refresh_catalogue",
    "propose_retention",
    "release",
    "remove_limit",
    "remove_model_alias",
    "remove_model_fallback",
    "replace_secret",
    "report_usage",
    "resume_rotations",
    "revive_keys",
    "revoke_token",
    "roll_up_usage",
    "rotate",
    "rotate_away",
    "rotate_sessions",
    "rotate_stranded",
    "set_allow_list",
    "set_key_status",
    "set_limit",
    "set_thresholds",
    "set_model_alias",
    "set_model_fallback",
    "set_learned_holds",
    "set_outbound_guard",
    "set_price",
    "set_served_models",
    "settle",
    "settle_many",
    "subject_at",
    "take_books_alone",
    "take_slot",
    "thaw",
    "watch_thresholds",
]
