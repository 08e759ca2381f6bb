"""Who may have which stream: Django decides, as for each page, with its middleware and the view."""

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, NamedTuple

from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from dashboard.live.audience import Audience
from dashboard.live.pages import LivePage, LiveRowPage

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Ask = Callable[[Scope], HttpResponseBase]


class Subscription(NamedTuple):
    """What a stream is of. `own_view`: the page has filters, so only changes are told."""

    page: LivePage | LiveRowPage
    audience: Audience
    own_view: bool


class Admission(HttpResponse):
    """The answer of the view to who may have the stream; its headers are those of the stream."""

    def __init__(self, subscription: Subscription, *, person: Any) -> None:
        super().__init__(content_type="text/event-stream")
        self.subscription = subscription
        self.person_id: int = person.pk
        # So that a proxy passes on each message when it comes.
        self["X-Accel-Buffering"] = "no"
        self["Cache-Control"] = "no-store"


def asker(get_response: Callable[[Any], HttpResponseBase]) -> Ask:
    """What asks Django about a request, with Django's `get_response`; for a thread."""

    def ask(scope: Scope) -> HttpResponseBase:
        # As at the start of each request: a connection that was lost is opened again.
        close_old_connections()
        return get_response(ASGIRequest(scope, BytesIO()))

    return ask
