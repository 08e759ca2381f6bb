"""How the admin pages of every app show links, badges, moments and bars.

Text from agents and models is escaped everywhere. An absent value is shown as `NOTHING`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import formatting, links

NOTHING = "—"


def link(kind: str, key: object, text: object | None = None) -> SafeString | str:
    """A link to the page of the row `key`, a kind of the table of links."""
    if key in (None, ""):
        return NOTHING
    return _anchor(links.url(kind, key), key if text is None else text)


def list_link(kind: str, text: object, **filters: object) -> SafeString:
    """A link to the list of the rows that `filters` select."""
    return _anchor(links.url(kind, **filters), text)


def subject_link(subject: str) -> SafeString | str:
    """A link to what `key:…`, `agent:…` or `centre:…` names; its text if that has no page."""
    url = links.url_of_subject(subject)
    return _anchor(url, subject) if url else subject or NOTHING


def separated(parts: Iterable[SafeString | str]) -> SafeString:
    """Links and texts in one line, with dots between them."""
    return format_html_join(" · ", "{}", ((part,) for part in parts)) or SafeString(NOTHING)


def badge(text: str, colour: str = "default") -> SafeString:
    """A coloured label; the colours are django-unfold's: success, info, warning, danger."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def moment(at: datetime | None) -> SafeString | str:
    """Date and time in UTC, on one line."""
    return NOTHING if at is None else one_line(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}")


def one_line(text: object) -> SafeString:
    """A text that is not broken into lines."""
    return format_html('<span class="butler-line">{}</span>', text)


def block(text: str) -> SafeString | str:
    """A longer text as its writer formatted it."""
    return format_html('<pre class="butler-body">{}</pre>', text) if text else NOTHING


class Segment(NamedTuple):
    """A part of a bar: its place and width in percent, and the class of its colour."""

    start: Decimal
    width: Decimal
    colour: str


def bar(
    *, used: Decimal | int, committed: Decimal | int, amount: Decimal | int, unit: str
) -> SafeString:
    """Used and committed of an amount of `unit` (`tokens`, `usd`), with a label in words."""
    used_percent = formatting.percent(used, amount)
    segments = [
        Segment(Decimal(0), used_percent, f"used{_fill_class(used_percent)}"),
        Segment(used_percent, formatting.percent(committed, amount), "committed"),
    ]
    words = [formatting.quantity(number, unit=unit) for number in (used, committed, amount)]
    return _bar(segments, "{} used and {} committed of {}".format(*words))


def segments_bar(segments: Iterable[Segment], *, label: str) -> SafeString:
    """A bar of any segments, with its label beside it."""
    return format_html("{}{}", _bar(segments, label), one_line(label))


def _fill_class(percent: Decimal) -> str:
    """The class that colours a bar that is nearly full."""
    if percent >= 90:
        return " butler-bar-hot"
    return " butler-bar-warm" if percent >= 75 else ""


def _bar(segments: Iterable[Segment], label: str) -> SafeString:
    return render_to_string("common/bar.html", {"segments": segments, "label": label})


def _anchor(url: str, text: object) -> SafeString:
    return format_html('<a class="butler-link" href="{}">{}</a>', url, text)
