"""The price book, read-only. The page of an API key sets the cost of the key."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.models import Price
from keys.supply.pricing import Tier


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
        "long_prompts",
        "source",
        "starts_at",
    )
    fields = (
        "provider_name",
        "model",
        "input",
        "cached",
        "cache_write",
        "cache_write_long_rate",
        "audio_input_rate",
        "image_input_rate",
        "output",
        "audio_output_rate",
        "image_output_rate",
        "long_prompts",
        "source",
        "starts_at",
        "rows",
    )
    list_filter = ("provider",)
    search_fields = ("provider__exact",)
    search_help_text = "A provider"
    ordering = ("-id",)

    @display(description="Provider")
    def provider_name(self, price: Price) -> SafeString | str:
        """The provider, as a link, without reading its row."""
        return widgets.link("provider", price.provider_id)

    @display(description="One-hour cache write")
    def cache_write_long_rate(self, price: Price) -> SafeString | str:
        """The rate of a cache write kept for an hour; by default the rate of a cache write."""
        return str(price.rates.cache_write_long)

    @display(description="Audio input")
    def audio_input_rate(self, price: Price) -> SafeString | str:
        """The rate of audio input; by default the rate of input."""
        return str(price.rates.audio_input)

    @display(description="Image input")
    def image_input_rate(self, price: Price) -> SafeString | str:
        """The rate of images in the input; by default the rate of input."""
        return str(price.rates.image_input)

    @display(description="Audio output")
    def audio_output_rate(self, price: Price) -> SafeString | str:
        """The rate of audio output; by default the rate of output."""
        return str(price.rates.audio_output)

    @display(description="Image output")
    def image_output_rate(self, price: Price) -> SafeString | str:
        """The rate of images in the output; by default the rate of output."""
        return str(price.rates.image_output)

    @display(description="Long prompts")
    def long_prompts(self, price: Price) -> SafeString | str:
        """The rates of long prompts in words; a dash without any."""
        lines = [(_tier(tier),) for tier in price.rates.tiers]
        return format_html_join(mark_safe("<br>"), "{}", lines) or "—"

    @display(description="Records")
    def rows(self, price: Price) -> SafeString | str:
        """A link to the charges at these rates."""
        return widgets.list_link("charges", "charges at this price", price=price.pk)


def _tier(tier: Tier) -> str:
    begins, rates = formatting.group_digits(tier.from_tokens), tier.rates
    return (
        f"above {begins} tokens: input {rates.input:f}, cached {rates.cached:f}, "
        f"cache write {rates.cache_write:f}, output {rates.output:f}"
    )
