"""How rows of the books look in lists and on pages: links, bars, figures, histories."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import formatting
from keys.books.queries import pages
from keys.books.queries.changes import changes, subject_of
from keys.models import History

HISTORY_SHOWN = 20
_ADMIN_OF_SCOPE = {"key": "apikey", "agent": "agent", "centre": "costcentre"}


def link(model: str, pk: object, text: object | None = None) -> SafeString | str:
    """A link to the page of one row; `—` when there is none."""
    if pk in (None, ""):
        return "—"
    url = reverse(f"admin:keys_{model}_change", args=[pk])
    return format_html('<a class="butler-link" href="{}">{}</a>', url, pk if text is None else text)


def list_link(model: str, text: str, **filters: object) -> SafeString:
    """A link to the list of the rows that `filters` select."""
    url = reverse(f"admin:keys_{model}_changelist") + "?" + urlencode(filters)
    return format_html('<a class="butler-link" href="{}">{}</a>', url, text)


def scope_link(scope: str) -> SafeString | str:
    """A link to what `key:…`, `agent:…` or `centre:…` names."""
    kind, _, slug = scope.partition(":")
    return link(_ADMIN_OF_SCOPE[kind], slug, scope) if kind in _ADMIN_OF_SCOPE else scope or "—"


def badge(text: str, colour: str = "default") -> SafeString:
    """A coloured label; colours are those of django-unfold: success, info, warning, danger."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def moment(at: datetime | None) -> SafeString | str:
    """Date and time in UTC, on one line; `—` when there is none."""
    if at is None:
        return "—"
    return format_html(
        '<span class="butler-line">{}</span>', f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    )


def bar(*, used, committed, amount, unit: str) -> SafeString:
    """Used and committed of an amount, as a bar with words for who cannot see it."""
    return render_to_string(
        "keys/bar.html",
        {
            "used_percent": formatting.percent(used, amount),
            "committed_percent": formatting.percent(committed, amount),
            "used": formatting.quantity(used, unit=unit),
            "committed": formatting.quantity(committed, unit=unit),
            "amount": formatting.quantity(amount, unit=unit),
        },
    )


def meters(found: list[pages.Meter], *, now: datetime) -> SafeString | str:
    """One line for each limit: the bar, what is taken, when it begins anew."""
    if not found:
        return "no limit"
    lines = [
        {
            "bar": bar(used=m.used, committed=m.committed, amount=m.amount, unit=m.unit),
            "words": f"{formatting.quantity(m.used + m.committed, unit=m.unit)} of "
            f"{formatting.quantity(m.amount, unit=m.unit)} per {m.period}",
            "reset": formatting.reset(m.resets_at, zone=m.zone, now=now),
        }
        for m in found
    ]
    return render_to_string("keys/meters.html", {"lines": lines})


def changed(entry: History) -> SafeString:
    """Every value before and after."""
    return render_to_string(
        "keys/changes.html", {"changes": changes(entry), "subject": subject_of(entry)}
    )


def history(**about: str) -> SafeString:
    """The last entries about one scope or session, with what they changed."""
    entries = [
        {"entry": entry, "changes": changes(entry), "subject": subject_of(entry)}
        for entry in pages.latest_history(most=HISTORY_SHOWN, **about)
    ]
    more = reverse("admin:keys_history_changelist") + "?" + urlencode(about)
    return render_to_string("keys/history.html", {"entries": entries, "more": more})
