"""Every route of the gateway. A request to any other path is refused, not forwarded."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.admission import Admit, Identify, admit, identify
from gateway.dialects import DIALECTS, Dialect
from gateway.forwarding import forward
from gateway.model_list import list_models, retrieve_model
from gateway.paths import MODEL, MODELS


class Route(NamedTuple):
    """Who serves a route, and how requests get in: a system check compares `admit`.

    `dialect` None: the gateway answers itself; nothing is forwarded and nothing is spent.
    """

    serve: Callable[..., Awaitable[None]]
    admit: Admit | Identify
    dialect: Dialect | None = None


ROUTES: dict[tuple[str, str], Route] = {
    **{("POST", f"/v1{dialect.path}"): Route(forward, admit, dialect) for dialect in DIALECTS},
    ("GET", MODELS): Route(list_models, identify),
    ("GET", MODEL): Route(retrieve_model, identify),
}
