"""What the query parameters of the list of charges ask for.

They are those of the spend explorer, so a figure there leads to the charges that add up to it, and
two more: `since` and `until` (moments on a quarter of an hour), and `allocation` (its id).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from dashboard.spend.query import SpendQuery, spend_query
from keys.books.queries.spend import SLICE_SECONDS, SpendFilter, is_on_border
from keys.models import Organisation

_BEGINNING, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_ID_MAX = 2**63 - 1


@dataclass(frozen=True)
class ChargesQuery:
    """A list of charges: of a view of spend, from one moment until another, of an allocation."""

    view: SpendQuery
    since: datetime | None = None
    until: datetime | None = None
    allocation: int | None = None

    @property
    def which(self) -> SpendFilter:
        """The charges as spend."""
        which = self.view.which
        return which._replace(since=self.since or which.since, until=self.until or which.until)

    @property
    def label(self) -> str:
        """Which time the charges are of, in words."""
        if not (self.since and self.until):
            return self.view.days.label
        if self.since == _BEGINNING:
            return "since its first charge"
        since, until = (each.astimezone(self.view.days.zone) for each in (self.since, self.until))
        return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"

    def url_of(self, view: SpendQuery) -> str:
        """The list with the filters of another view."""
        moments = {"since": self.since, "until": self.until}
        own = {name: each.isoformat() for name, each in moments.items() if each}
        return f"{view.charges_url}&{urlencode(own)}" if own else view.charges_url


def charges_query(
    user: Any, query: Mapping[str, str], *, organisation: Organisation, now: datetime
) -> ChargesQuery:
    """What the query parameters ask for; what cannot be read is left out, with a message."""
    view = spend_query(user, query, organisation=organisation, now=now)
    try:
        since, until = _moment(query, "since"), _moment(query, "until")
        allocation = _number(query.get("allocation", ""))
    except ValueError as error:
        return ChargesQuery(replace(view, message=str(error)))
    if allocation is not None and not query.keys() & {"range", "month", "from", "to"}:
        since = since or _BEGINNING
    if since is not None:
        until = until or _border_after(now)
    return ChargesQuery(view, since, until, allocation)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    """The moment that a parameter names. ValueError, if it names none that can be used."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        is_usable = moment.tzinfo is not None and _BEGINNING <= moment < _END
    except ValueError:
        is_usable = False
    if not (is_usable and is_on_border(moment)):
        raise ValueError("The time cannot be read, so the charges of the days are shown.")
    return moment


def _number(text: str) -> int | None:
    """The id that a parameter names. ValueError, if it is none."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= _ID_MAX):
        raise ValueError("The allocation cannot be read, so the charges of all are shown.")
    return int(text)


def _border_after(now: datetime) -> datetime:
    return now + timedelta(seconds=SLICE_SECONDS - now.timestamp() % SLICE_SECONDS)
