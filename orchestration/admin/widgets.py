"""How tasks and attempts look in lists and on pages. What models wrote is escaped everywhere."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import formatting
from orchestration.models import Attempt, SubTask
from orchestration.queries.pages import Parts

TASK_COLOURS = {
    "active": "info",
    "paused": "warning",
    "cancelling": "warning",
    "completed": "success",
    "partial": "warning",
    "failed": "danger",
    "cancelled": "default",
}
PART_COLOURS = {
    "blocked": "default",
    "gated": "warning",
    "waiting": "default",
    "running": "info",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "default",
}
NOTHING = "—"


def link(model: str, pk: object, text: object | None = None) -> SafeString | str:
    """A link to the page of one row of `model`, such as `keys_allocation`; `—` for none."""
    if pk in (None, ""):
        return NOTHING
    url = reverse(f"admin:{model}_change", args=[pk])
    return format_html('<a class="butler-link" href="{}">{}</a>', url, pk if text is None else text)


def list_link(model: str, text: str, **filters: object) -> SafeString:
    """A link to the list of the rows that `filters` select."""
    url = reverse(f"admin:{model}_changelist") + "?" + urlencode(filters)
    return format_html('<a class="butler-link" href="{}">{}</a>', url, text)


def badge(text: str, colour: str = "default") -> SafeString:
    """A coloured label; colours are those of django-unfold: success, info, warning, danger."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def part_state(row: SubTask | Attempt, *, characters: int) -> SafeString:
    """The status of a sub-task or an attempt as a coloured label, and the beginning of why it
    failed."""
    label = badge(row.status, PART_COLOURS[row.status])
    kind = f"{row.error_kind}: " if row.error_kind else ""
    return format_html("{} <small>{}{}</small>", label, kind, row.error[:characters])


def moment(at: datetime | None) -> SafeString | str:
    """Date and time in UTC, on one line; `—` when there is none."""
    if at is None:
        return NOTHING
    words = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return format_html('<span class="butler-line">{}</span>', words)


def text(words: str) -> SafeString | str:
    """What somebody or a model wrote, as it stands; `—` when it is empty."""
    return format_html('<pre class="butler-body">{}</pre>', words) if words else NOTHING


def parts_bar(parts: Parts) -> SafeString:
    """How many sub-tasks are done, failed and running: a bar and its words."""
    return render_to_string("orchestration/parts.html", {"parts": parts})


def tokens_bar(*, used: int, lent: int, of: int) -> SafeString:
    """Tokens used and lent of a budget: a bar and its figures."""
    bar = render_to_string(
        "keys/bar.html",
        {
            "used_percent": formatting.percent(used, of),
            "committed_percent": formatting.percent(lent, of),
            "used": formatting.short(used),
            "committed": formatting.short(lent),
            "amount": formatting.short(of),
        },
    )
    also = f", {formatting.grouped(lent)} lent" if lent else ""
    words = f"{formatting.grouped(used)} of {formatting.grouped(of)}{also}"
    return format_html('{}<span class="butler-line">{}</span>', bar, words)
