"""How limits and the history of the books look on pages."""

from datetime import datetime

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from common import formatting, links
from common.admin.widgets import bar
from keys.books.queries import pages
from keys.books.queries.changes import changes, subject_of
from keys.models import History

HISTORY_SHOWN = 20


def meters(found: list[pages.Meter], *, now: datetime) -> SafeString | str:
    """One line for each limit: the bar, what is used and committed, when it resets."""
    if not found:
        return "no limit"
    lines = [
        {
            "bar": bar(used=m.used, committed=m.committed, amount=m.amount, unit=m.unit),
            "figures": f"{formatting.quantity(m.used + m.committed, unit=m.unit)} of "
            f"{formatting.quantity(m.amount, unit=m.unit)} per {m.period}",
            "reset": formatting.reset(m.resets_at, zone=m.zone, now=now),
        }
        for m in found
    ]
    return render_to_string("keys/meters.html", {"lines": lines})


def changes_of(entry: History) -> SafeString:
    """Each value that an entry changed, before and after."""
    return render_to_string(
        "keys/changes.html", {"changes": changes(entry), "subject": subject_of(entry)}
    )


def history(**about: str) -> SafeString:
    """The last entries about one scope, agent or session, with what they changed."""
    entries = [
        {"entry": entry, "changes": changes(entry), "subject": subject_of(entry)}
        for entry in pages.latest_history(most=HISTORY_SHOWN, **about)
    ]
    more = links.url("history", **about)
    return render_to_string("keys/history.html", {"entries": entries, "more": more})
