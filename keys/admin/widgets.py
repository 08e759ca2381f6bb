"""HTML for limits and for the history of the books."""

from datetime import datetime

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from common import formatting, links
from common.admin.widgets import bar
from keys.books.queries import pages
from security.audit_changes import changes

HISTORY_SHOWN = 20


def meters(of_limits: list[pages.Meter], *, now: datetime) -> SafeString | str:
    """One line for each limit: the bar, what is used and committed, when it resets."""
    if not of_limits:
        return "no limit"
    lines = [
        {
            "bar": bar(used=m.used, committed=m.committed, amount=m.amount, unit=m.unit),
            "figures": f"{formatting.quantity(m.used + m.committed, unit=m.unit)} of "
            f"{formatting.quantity(m.amount, unit=m.unit)} per {m.period}",
            "reset": formatting.reset(m.resets_at, zone=m.zone, now=now),
        }
        for m in of_limits
    ]
    return render_to_string("keys/meters.html", {"lines": lines})


def history(subject: str) -> SafeString:
    """The last audit entries about `key:…`, `agent:…`, `centre:…` or `session:…`."""
    entries = [
        {"entry": entry, "changes": changes(entry)}
        for entry in pages.latest_history(about=subject, most=HISTORY_SHOWN)
    ]
    more = links.url("audit_entries", subject=subject)
    return render_to_string("keys/history.html", {"entries": entries, "more": more})
