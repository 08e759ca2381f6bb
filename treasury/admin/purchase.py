"""Purchases of credit, read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from treasury.models import Purchase


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    """The list of purchases, newest first, and the page of one."""

    list_display = ("page", "payee", "sum", "status", "is_automatic", "proposed_at", "ended_at")
    fields = (
        "policy",
        "payee",
        "key",
        "sum",
        "status",
        "is_automatic",
        "reason",
        "proposed_by",
        "proposed_at",
        "approval",
        "reserved_at",
        "body_sha256",
        "vendor_id",
        "asks",
        "ask_at",
        "settled_at",
        "credited_at",
        "reversed_at",
        "ended_at",
    )
    list_filter = ("status", "is_automatic")
    list_select_related = ("payee",)
    search_fields = ("=vendor_id",)
    search_help_text = "The vendor's id of a payment"
    ordering = ("-id",)

    @display(description="Purchase")
    def page(self, purchase: Purchase) -> SafeString | str:
        """The purchase with its timeline, as a link."""
        return widgets.link("purchase", purchase.pk, purchase)

    @display(description="Amount")
    def sum(self, purchase: Purchase) -> str:
        """The amount with its currency."""
        return f"{purchase.amount:f} {purchase.currency}"
