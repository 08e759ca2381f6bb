"""The pages that can be live."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest

from common import links
from dashboard.live.audience import Audience

Fragments = Callable[[HttpRequest, datetime], str]
# Of the page of a row: the key of the row, too.
RowFragments = Callable[[HttpRequest, datetime, str], str]
# Whether a person, or an audience, sees the row with this key.
Sees = Callable[[Any, str], bool]


class LivePage(NamedTuple):
    """A page: the permission that its stream needs ("": none), and what it is sent."""

    kind: str
    permission: str
    fragments: Fragments

    @property
    def row(self) -> str:
        """It is of no row."""
        return ""

    def is_seen_by(self, user: Any) -> bool:
        """Its permission decides alone."""
        return True

    def render(self, audience: Audience, now: datetime) -> str:
        """What the audience is sent of the default view of the page."""
        return self.fragments(_request(audience, links.url(self.kind)), now)


class LiveRowPage(NamedTuple):
    """The page of one row of a kind; `row` is its key."""

    kind: str
    permission: str
    fragments: RowFragments
    sees: Sees
    row: str = ""

    def is_seen_by(self, user: Any) -> bool:
        """Whether the row is one of those that the person sees."""
        return self.sees(user, self.row)

    def render(self, audience: Audience, now: datetime) -> str:
        """What the audience is sent of the default view of the page of the row."""
        request = _request(audience, links.url(self.kind, self.row))
        return self.fragments(request, now, self.row)


def _request(audience: Audience, path: str) -> HttpRequest:
    request = HttpRequest()
    request.method = "GET"
    request.path = request.path_info = path
    request.user = audience  # type: ignore[assignment]  # stands for any of them
    return request


_pages: dict[str, LivePage | LiveRowPage] = {}


def register(kind: str, *, permission: str, fragments: Fragments) -> None:
    """Make a page live; see the package for what `fragments` returns."""
    _add(LivePage(kind, permission, fragments))


def register_row(kind: str, *, permission: str, sees: Sees, fragments: RowFragments) -> None:
    """Make the pages of rows live: each row has streams of its own, for people who see it."""
    _add(LiveRowPage(kind, permission, fragments, sees))


def _add(page: LivePage | LiveRowPage) -> None:
    if page.kind in _pages:
        raise ValueError(f"The page {page.kind!r} is live already.")
    _pages[page.kind] = page


def find(kind: str, row: str = "") -> LivePage | LiveRowPage | None:
    """The page of this kind, if it is registered. A page of rows needs a `row`, others none."""
    page = _pages.get(kind)
    if isinstance(page, LiveRowPage):
        return page._replace(row=row) if row else None
    return None if row else page
