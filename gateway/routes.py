"""Every route of the gateway, each with its way in. What is not here is refused, not forwarded."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway import calls
from gateway.admission import Admit, admit
from gateway.dialects import CHAT, COUNT_TOKENS, EMBEDDINGS, MESSAGES, RESPONSES, Dialect


class Route(NamedTuple):
    """How one route is served, and by which admission: a system check wants the one there is.

    `dialect` None: it is answered here and spends nothing.
    """

    serve: Callable[..., Awaitable[None]]
    dialect: Dialect | None
    admit: Admit


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v1/chat/completions"): Route(calls.forward, CHAT, admit),
    ("POST", "/v1/responses"): Route(calls.forward, RESPONSES, admit),
    ("POST", "/v1/embeddings"): Route(calls.forward, EMBEDDINGS, admit),
    ("POST", "/v1/messages"): Route(calls.forward, MESSAGES, admit),
    ("POST", "/v1/messages/count_tokens"): Route(calls.forward, COUNT_TOKENS, admit),
    ("GET", "/v1/models"): Route(calls.models, None, admit),
}
