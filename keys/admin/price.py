"""The price book, to read; a key's cost is set on its page."""

from django.contrib import admin
from unfold.decorators import display

from keys.admin import shown
from keys.admin.base import ReadOnlyAdmin
from keys.models import Price


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """Lines of the price book, US dollars per 1,000 tokens, the newest first."""

    list_display = (
        "model",
        "provider_name",
        "input",
        "cached",
        "cache_write",
        "output",
        "source",
        "starts_at",
    )
    fields = (
        "provider_name",
        "model",
        "input",
        "cached",
        "cache_write",
        "output",
        "source",
        "starts_at",
        "rows",
    )
    list_filter = ("provider",)
    search_fields = ("provider__exact",)
    search_help_text = "A provider"
    ordering = ("-id",)

    @display(description="Provider")
    def provider_name(self, price):
        """Its slug, without reading the provider's row."""
        return shown.link("provider", price.provider_id)

    @display(description="Rows behind it")
    def rows(self, price):
        """Charges that have these rates."""
        return shown.list_link("charge", "charges at this price", price__exact=price.pk)
