"""Every write of the app."""

from gate.services.access_reviews import alert_of_overdue_reviews, decide_line, start_review
from gate.services.approval_alerts import alert_of_approvals
from gate.services.audit_chain_alerts import (
    alert_of_unsealed_rows,
    keep_checkpoint,
    send_checkpoint,
)
from gate.services.backups import (
    back_up,
    back_up_vault,
    check_restore,
    is_of_earlier_version,
    restore,
    restore_vault,
)
from gate.services.budget_requests import (
    DAYS_MAX,
    OPEN_MAX,
    BudgetRequest,
    ask_for_budget,
    budget_effect,
    budget_rule,
    request_budget,
)
from gate.services.findings import (
    FindingReport,
    alert_of_overdue_findings,
    decide_finding,
    report_finding,
    report_leak,
)
from gate.services.people import (
    invite,
    invite_again,
    set_access,
    sign_out_everywhere,
    switch_off,
    switch_on,
)
from gate.services.reveals import SHOWN_SECONDS, ask_reveal, show_secret
from gate.services.second_factors import seal_seed, unseal_seed
from gate.services.sign_ins import (
    NOTED_EVERY,
    end_sessions,
    note_activity,
    sign_out,
    sign_out_others,
)

__all__ = [
    "DAYS_MAX",
    "NOTED_EVERY",
    "OPEN_MAX",
    "SHOWN_SECONDS",
    "BudgetRequest",
    "FindingReport",
    "alert_of_approvals",
    "alert_of_unsealed_rows",
    "alert_of_overdue_findings",
    "alert_of_overdue_reviews",
    "ask_for_budget",
    "ask_reveal",
    "back_up",
    "back_up_vault",
    "budget_effect",
    "budget_rule",
    "decide_finding",
    "decide_line",
    "end_sessions",
    "invite",
    "invite_again",
    "keep_checkpoint",
    "note_activity",
    "report_finding",
    "report_leak",
    "request_budget",
    "check_restore",
    "is_of_earlier_version",
    "restore",
    "restore_vault",
    "seal_seed",
    "send_checkpoint",
    "set_access",
    "show_secret",
    "start_review",
    "sign_out",
    "sign_out_everywhere",
    "sign_out_others",
    "switch_off",
    "switch_on",
    "unseal_seed",
]
