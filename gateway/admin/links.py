"""How the pages of this app show links and moments."""

from datetime import UTC, datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def link(model: str, pk: object, text: object | None = None) -> SafeString:
    """A link to the page of one row of `model`, such as `keys_charge`."""
    url = reverse(f"admin:{model}_change", args=[pk])
    return format_html('<a class="butler-link" href="{}">{}</a>', url, pk if text is None else text)


def moment(at: datetime) -> SafeString:
    """Date and time in UTC, on one line."""
    return format_html(
        '<span class="butler-line">{}</span>', f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    )
