"""The pages that can be live."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest

from common import links
from dashboard.live.audience import Audience

Fragments = Callable[[HttpRequest, datetime], str]


class LivePage(NamedTuple):
    """A page: the permission that its stream needs ("": none), and what it is sent."""

    kind: str
    permission: str
    fragments: Fragments

    def render(self, audience: Audience, now: datetime) -> str:
        """What the audience is sent of the default view of the page."""
        request = HttpRequest()
        request.method = "GET"
        request.path = request.path_info = links.url(self.kind)
        request.user = audience  # type: ignore[assignment]  # stands for any of them
        return self.fragments(request, now)


_pages: dict[str, LivePage] = {}


def register(kind: str, *, permission: str, fragments: Fragments) -> None:
    """Make a page live; see the package for what `fragments` returns."""
    if kind in _pages:
        raise ValueError(f"The page {kind!r} is live already.")
    _pages[kind] = LivePage(kind, permission, fragments)


def find(kind: str) -> LivePage | None:
    """The page of this kind, if it is registered."""
    return _pages.get(kind)
