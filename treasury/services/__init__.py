"""Every write of the app."""

from treasury.services.accounts import AccountTerms, open_account
from treasury.services.add_receipt import ReceiptFile, add_receipt
from treasury.services.adjust_difference import adjust_approved, adjust_difference
from treasury.services.adopt_balance import propose_adoption
from treasury.services.advance_purchase import advance_purchase
from treasury.services.apply_answer import apply_answer
from treasury.services.ask_payout import (
    advance_payout,
    apply_payout_answer,
    ask_payout,
    cancel_payout,
    confirm_payout,
    deny_payout,
)
from treasury.services.ask_refund import (
    advance_refund,
    apply_refund_answer,
    ask_refund,
    cancel_refund,
    confirm_refund,
    deny_refund,
)
from treasury.services.balance_access import (
    AccessTerms,
    remove_balance_access,
    set_balance_access,
)
from treasury.services.balance_alerts import watch_credit
from treasury.services.buy_credit import buy_credit
from treasury.services.claim_purchases import claim_purchases
from treasury.services.close_period import close_period
from treasury.services.collect import advance_collection, apply_collection_answer, collect
from treasury.services.decide_purchase import cancel_purchase, confirm_purchase, deny_purchase
from treasury.services.exchange import ExchangeTerms, record_exchange
from treasury.services.exchange_rates import ImportedRates, import_rates, record_rate
from treasury.services.expiring_credit import expire_credit, record_expiring_credit
from treasury.services.fees import book_difference_as_fee, record_fee
from treasury.services.fetch_calls import CALLS_A_DAY, ask_calls, can_ask_calls, fetch_calls
from treasury.services.fetch_rail_statement import fetch_rail_statement
from treasury.services.fetch_reports import (
    ask_reports,
    fetch_reports,
    remove_report_access,
    set_report_access,
)
from treasury.services.fill_rail import fill_rail
from treasury.services.import_rail_statement import RailStatementFile, import_rail_statement
from treasury.services.import_report import ReportFile, import_report
from treasury.services.match_rail_statements import match_rail_statements
from treasury.services.own_transfers import book_difference_as_own_transfer
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
from treasury.services.rail_accounts import (
    RailTerms,
    add_rail_account,
    change_rail_settings,
    propose_rail,
    replace_rail_secret,
    switch_rail_off,
    test_rail,
)
from treasury.services.rail_events import read_event
from treasury.services.receive_webhook import (
    WEBHOOK_BYTES_MAX,
    find_receiver,
    receive_webhook,
)
from treasury.services.reconcile import Reconciled, reconcile
from treasury.services.record_funding import record_funding
from treasury.services.see_reload import ReloadInvoice, record_reload, see_reload
from treasury.services.settle_difference import (
    accept_difference,
    explain_difference,
    learn_names,
)
from treasury.services.spend_caps import ask_cap, keep_cap, propose_cap, set_cap_access
from treasury.services.take_balance import ask_balance, take_balance
from treasury.services.transfer import Entry, transfer
from treasury.services.transit_alerts import watch_transit
from treasury.services.x402_allowances import AllowanceTerms, propose_allowance
from treasury.services.x402_payments import (
    expire_payments,
    payment_room,
    settle_payment,
    sign_payment,
)

__all__ = [
    "CALLS_A_DAY",
    "WEBHOOK_BYTES_MAX",
    "AccessTerms",
    "AccountTerms",
    "AllowanceTerms",
    "BuyingTerms",
    "Entry",
    "ExchangeTerms",
    "ImportedRates",
    "PayeeTerms",
    "RailStatementFile",
    "RailTerms",
    "ReceiptFile",
    "Reconciled",
    "ReloadInvoice",
    "ReportFile",
    "accept_difference",
    "add_rail_account",
    "add_receipt",
    "adjust_approved",
    "adjust_difference",
    "advance_collection",
    "advance_payout",
    "advance_purchase",
    "advance_refund",
    "apply_answer",
    "apply_collection_answer",
    "apply_payout_answer",
    "apply_refund_answer",
    "ask_balance",
    "ask_calls",
    "ask_cap",
    "ask_payout",
    "ask_refund",
    "ask_reports",
    "begin_pending",
    "book_difference_as_fee",
    "book_difference_as_own_transfer",
    "buy_credit",
    "can_ask_calls",
    "cancel_payout",
    "cancel_purchase",
    "cancel_refund",
    "change_rail_settings",
    "claim_purchases",
    "close_period",
    "collect",
    "confirm_payout",
    "confirm_purchase",
    "confirm_refund",
    "deny_payout",
    "deny_purchase",
    "deny_refund",
    "expire_credit",
    "expire_payments",
    "expire_pending",
    "explain_difference",
    "fetch_calls",
    "fetch_rail_statement",
    "fetch_reports",
    "fill_rail",
    "find_receiver",
    "import_rail_statement",
    "import_rates",
    "import_report",
    "keep_cap",
    "learn_names",
    "match_rail_statements",
    "open_account",
    "pause_policy",
    "payment_room",
    "post_consumption",
    "post_pending",
    "propose_adoption",
    "propose_allowance",
    "propose_cap",
    "propose_payee",
    "propose_policy",
    "propose_purchase",
    "propose_rail",
    "read_event",
    "receive_webhook",
    "reconcile",
    "record_exchange",
    "record_expiring_credit",
    "record_fee",
    "record_funding",
    "record_rate",
    "record_reload",
    "remove_balance_access",
    "remove_report_access",
    "replace_rail_secret",
    "resume_policy",
    "retire_payee",
    "see_reload",
    "set_balance_access",
    "set_cap_access",
    "set_report_access",
    "settle_payment",
    "sign_payment",
    "switch_rail_off",
    "take_balance",
    "test_rail",
    "transfer",
    "void_pending",
    "watch_credit",
    "watch_transit",
]
