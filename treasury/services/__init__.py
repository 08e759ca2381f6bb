"""Every write of the app."""

from treasury.services.accounts import AccountTerms, open_account
from treasury.services.adopt_balance import propose_adoption
from treasury.services.advance_purchase import advance_purchase
from treasury.services.apply_answer import apply_answer
from treasury.services.balance_access import (
    AccessTerms,
    remove_balance_access,
    set_balance_access,
)
from treasury.services.balance_alerts import watch_credit
from treasury.services.buy_credit import buy_credit
from treasury.services.close_period import close_period
from treasury.services.decide_purchase import cancel_purchase, confirm_purchase, deny_purchase
from treasury.services.expiring_credit import expire_credit, record_expiring_credit
from treasury.services.import_report import ReportFile, import_report
from treasury.services.payees import PayeeTerms, propose_payee, retire_payee
from treasury.services.pending import (
    begin_pending,
    expire_pending,
    post_pending,
    void_pending,
)
from treasury.services.policies import BuyingTerms, pause_policy, propose_policy, resume_policy
from treasury.services.post_consumption import post_consumption
from treasury.services.propose_purchase import propose_purchase
from treasury.services.reconcile import Reconciled, reconcile
from treasury.services.record_funding import record_funding
from treasury.services.settle_difference import (
    accept_difference,
    adjust_difference,
    explain_difference,
    learn_names,
)
from treasury.services.take_balance import ask_balance, take_balance
from treasury.services.transfer import Entry, transfer

__all__ = [
    "AccessTerms",
    "AccountTerms",
    "BuyingTerms",
    "Entry",
    "PayeeTerms",
    "Reconciled",
    "ReportFile",
    "accept_difference",
    "adjust_difference",
    "advance_purchase",
    "apply_answer",
    "ask_balance",
    "begin_pending",
    "buy_credit",
    "cancel_purchase",
    "close_period",
    "confirm_purchase",
    "deny_purchase",
    "expire_credit",
    "expire_pending",
    "explain_difference",
    "import_report",
    "learn_names",
    "open_account",
    "pause_policy",
    "post_consumption",
    "post_pending",
    "propose_adoption",
    "propose_payee",
    "propose_policy",
    "propose_purchase",
    "reconcile",
    "record_expiring_credit",
    "record_funding",
    "remove_balance_access",
    "resume_policy",
    "retire_payee",
    "set_balance_access",
    "take_balance",
    "transfer",
    "void_pending",
    "watch_credit",
]
