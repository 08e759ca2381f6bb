"""The pages of the app in the admin, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        # Those that people read are pages of the dashboard.
        "ledger_account": Page("admin:treasury_account_change"),
        "ledger_accounts": Page("admin:treasury_account_changelist"),
        "ledger_transfer": Page("admin:treasury_transfer_change"),
        "ledger_transfers": Page("admin:treasury_transfer_changelist"),
        "recorded_purchase": Page("admin:treasury_purchase_change"),
        "recorded_purchases": Page("admin:treasury_purchase_changelist"),
    }
)
