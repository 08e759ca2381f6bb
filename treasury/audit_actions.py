"""What `treasury` records in the audit. Transfers are sealed themselves."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the ledger and on purchases."""

    ACCOUNT_OPEN = "account.open"
    PERIOD_CLOSE = "period.close"
    FEE_RECORD = "fee.record"
    FUNDING_RECORD = "funding.record"
    PAYEE_ADD = "payee.add"
    PAYEE_RETIRE = "payee.retire"
    POLICY_SET = "purchase_policy.set"
    POLICY_PAUSE = "purchase_policy.pause"
    POLICY_RESUME = "purchase_policy.resume"
    PURCHASE_MOVE = "purchase.move"
    RECEIPT_ADD = "purchase_receipt.add"
    RELOAD_SEE = "reload.see"
    REPORT_IMPORT = "provider_report.import"
    RATES_IMPORT = "exchange_rates.import"
    RATE_RECORD = "exchange_rate.record"
    EXCHANGE_RECORD = "exchange.record"
    RAIL_STATEMENT_IMPORT = "rail_statement.import"
    RAIL_STATEMENT_MATCH = "rail_statement.match"
    RECONCILE = "reconciliation.run"
    DIFFERENCE_SETTLE = "difference.settle"
    PROVIDER_NAME_ADD = "provider_name.add"
    RAIL_FILL = "rail.fill"
    CAP_ACCESS_SET = "spend_cap.set_access"
    CAP_SET = "spend_cap.set"
    CAP_TOLD = "spend_cap.told"
    BALANCE_ACCESS_SET = "balance_access.set"
    BALANCE_ACCESS_REMOVE = "balance_access.remove"
    EXPIRING_CREDIT_RECORD = "expiring_credit.record"
    EXPIRING_CREDIT_END = "expiring_credit.end"
    RAIL_ADD = "rail.add"
    RAIL_CHANGE = "rail.change"
    RAIL_REPLACE_SECRET = "rail.replace_secret"  # noqa: S105 - the name of an action
    RAIL_SWITCH_ON = "rail.switch_on"
    RAIL_SWITCH_OFF = "rail.switch_off"
    RAIL_TEST = "rail.test"
    X402_ALLOW = "x402.allow"
    X402_SIGN = "x402.sign"
    X402_SETTLE = "x402.settle"
    X402_EXPIRE = "x402.expire"
    COLLECTION_MOVE = "collection.move"
    REFUND_MOVE = "refund.move"
    PAYOUT_MOVE = "payout.move"
