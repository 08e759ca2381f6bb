"""The ledger of money in the admin, read-only: services of the app write it."""

from treasury.admin.account import AccountAdmin
from treasury.admin.purchase import PurchaseAdmin
from treasury.admin.transfer import TransferAdmin

__all__ = ["AccountAdmin", "PurchaseAdmin", "TransferAdmin"]
