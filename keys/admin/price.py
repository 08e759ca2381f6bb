"""The price book, read-only. The page of an API key sets the cost of the key."""

from collections.abc import Iterable, Iterator
from itertools import chain

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.models import Price
from keys.supply.pricing import Rates, Tier, Variant


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """Lines of the price book, US dollars per 1,000, the newest first."""

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
        "request",
        "web_search_rate",
        "long_prompts",
        "other_rates",
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

    @display(description="Web search")
    def web_search_rate(self, price: Price) -> SafeString | str:
        """The price of 1,000 web searches by the provider."""
        return "not known" if price.web_search is None else str(price.web_search)

    @display(description="Long prompts")
    def long_prompts(self, price: Price) -> SafeString | str:
        """The rates of long prompts in words; a dash without any."""
        return _lines(_tier(tier) for tier in price.rates.tiers)

    @display(description="Other rates")
    def other_rates(self, price: Price) -> SafeString | str:
        """The rates of other service tiers, times of the day and kinds of search in words."""
        return _lines(chain.from_iterable(map(_variant_lines, price.rates.variants)))

    @display(description="Records")
    def rows(self, price: Price) -> SafeString | str:
        """A link to the charges at these rates."""
        return widgets.list_link("recorded_charges", "charges at this price", price=price.pk)


def _lines(lines: Iterable[str]) -> SafeString | str:
    return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines)) or "—"


def _tier(tier: Tier) -> str:
    return f"above {formatting.group_digits(tier.from_tokens)} tokens: {_tokens(tier.rates)}"


def _variant_lines(variant: Variant) -> Iterator[str]:
    rates = variant.rates
    if variant.search_kind:
        yield f"search {variant.search_kind}: {_fees(rates)}"
        return
    hours = f" from {variant.starts:%H:%M} to {variant.ends:%H:%M} UTC" if variant.starts else ""
    yield f"{variant.service_tier}{hours}: {_tokens(rates)}"
    for tier in rates.tiers:
        yield f"{variant.service_tier}{hours}, {_tier(tier)}"


def _tokens(rates: Rates) -> str:
    return (
        f"input {rates.input:f}, cached {rates.cached:f}, "
        f"cache write {rates.cache_write:f}, output {rates.output:f}"
    )


def _fees(rates: Rates) -> str:
    search = "not known" if rates.web_search is None else f"{rates.web_search:f}"
    return f"request {rates.request:f}, web search {search}"
