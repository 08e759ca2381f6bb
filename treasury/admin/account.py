"""Accounts of the ledger, read-only."""

from django.contrib import admin
from unfold.decorators import display

from common.admin.read_only import ReadOnlyAdmin
from treasury.models import Account


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """The list of accounts with their balances, and the page of one."""

    list_display = ("name", "kind", "currency", "posted", "pending")
    fields = (
        "name",
        "kind",
        "currency",
        "scale",
        "normal_side",
        "may_overdraw",
        "debits_posted",
        "credits_posted",
        "debits_pending",
        "credits_pending",
        "created_at",
    )
    list_filter = ("kind", "currency")
    search_fields = ("name__startswith",)
    ordering = ("name",)

    @display(description="Posted")
    def posted(self, account: Account) -> str:
        """What was posted, on the account's own side."""
        return f"{account.balance:f} {account.currency}"

    @display(description="Pending debits and credits")
    def pending(self, account: Account) -> str:
        """What is set aside on both sides."""
        return f"{account.debits_pending:f}, {account.credits_pending:f}"
