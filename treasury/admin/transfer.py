"""Transfers of the ledger, read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from treasury.models import Transfer


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    """The list of transfers, newest first, and the page of one."""

    list_display = (
        "__str__",
        "effective_on",
        "kind",
        "phase",
        "debit_link",
        "credit_link",
        "sum",
        "reference",
    )
    fields = (
        "journal",
        "kind",
        "phase",
        "debit_link",
        "credit_link",
        "sum",
        "effective_on",
        "expires_at",
        "pending_of",
        "corrects",
        "rate",
        "reference",
        "idempotency_key",
        "recorded_by",
        "created_at",
    )
    list_filter = ("kind", "phase", "currency")
    list_select_related = ("debit", "credit")
    search_fields = ("=idempotency_key",)
    search_help_text = "The idempotency key of a transfer"
    ordering = ("-id",)

    @display(description="Debit")
    def debit_link(self, transfer: Transfer) -> SafeString | str:
        """The account that is debited, as a link."""
        return widgets.link("ledger_account", transfer.debit_id, transfer.debit)

    @display(description="Credit")
    def credit_link(self, transfer: Transfer) -> SafeString | str:
        """The account that is credited, as a link."""
        return widgets.link("ledger_account", transfer.credit_id, transfer.credit)

    @display(description="Amount")
    def sum(self, transfer: Transfer) -> str:
        """The amount with its currency."""
        return f"{transfer.amount:f} {transfer.currency}"
