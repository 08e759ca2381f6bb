"""Every read of the app."""

from treasury.queries.balances import balance
from treasury.queries.consumption import credits
from treasury.queries.credit import dry_run, effective_credit, runway
from treasury.queries.exchange_rates import price_of_100, rate_on, rate_page
from treasury.queries.ledger_check import ledger_check
from treasury.queries.money_orders import due_payouts, due_refunds, payout_page, refund_page
from treasury.queries.pages import (
    TransferFilter,
    account_page,
    credit_list,
    purchase_page,
    transfer_page,
)
from treasury.queries.purchases import exchanged, purchase_fees
from treasury.queries.rail_events import due_collections, events_to_read
from treasury.queries.rail_statements import (
    accounts_to_fetch,
    has_rail_statements,
    open_rail_differences,
    rail_statement_page,
    statements_to_fetch,
    statements_to_match,
)
from treasury.queries.rails import RailKind, rail_kind, rail_kinds, rejected_webhooks
from treasury.queries.receipts import receipt, receipts_of
from treasury.queries.reconciliation import (
    bill_coverage,
    difference_page,
    fetched_reports,
    open_differences,
    reports_to_fetch,
)
from treasury.queries.refunds import refundable
from treasury.queries.x402 import x402_payment

__all__ = [
    "fetched_reports",
    "reports_to_fetch",
    "due_payouts",
    "payout_page",
    "accounts_to_fetch",
    "RailKind",
    "TransferFilter",
    "account_page",
    "balance",
    "bill_coverage",
    "credit_list",
    "credits",
    "difference_page",
    "dry_run",
    "due_collections",
    "due_refunds",
    "effective_credit",
    "events_to_read",
    "exchanged",
    "has_rail_statements",
    "ledger_check",
    "open_differences",
    "open_rail_differences",
    "price_of_100",
    "purchase_fees",
    "purchase_page",
    "rail_kind",
    "rail_kinds",
    "rail_statement_page",
    "receipt",
    "receipts_of",
    "rejected_webhooks",
    "rate_on",
    "rate_page",
    "refund_page",
    "refundable",
    "runway",
    "statements_to_fetch",
    "statements_to_match",
    "transfer_page",
    "x402_payment",
]
