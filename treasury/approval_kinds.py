"""The kinds of approvals of this app, registered where their changes are made."""

from treasury.services.adjust_difference import ADJUSTMENT
from treasury.services.adopt_balance import ADOPTION
from treasury.services.ask_payout import PAYOUT
from treasury.services.ask_refund import REFUND
from treasury.services.payees import PAYEE
from treasury.services.policies import PURCHASE_POLICY
from treasury.services.propose_purchase import PURCHASE
from treasury.services.rail_accounts import RAIL
from treasury.services.spend_caps import SPEND_CAP
from treasury.services.x402_allowances import X402_ALLOWANCE

__all__ = [
    "ADJUSTMENT",
    "ADOPTION",
    "PAYEE",
    "PURCHASE",
    "PURCHASE_POLICY",
    "PAYOUT",
    "RAIL",
    "REFUND",
    "SPEND_CAP",
    "X402_ALLOWANCE",
]
