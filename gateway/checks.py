"""System checks of the gateway."""

from django.core.checks import CheckMessage, Error

from gateway.admission import admit
from gateway.routes import ROUTES, Route


def every_route_admits(**kwargs: object) -> list[CheckMessage]:
    """butler.E031: a route lets requests in by another way than the one admission."""
    return unadmitted(ROUTES)


def unadmitted(routes: dict[tuple[str, str], Route]) -> list[CheckMessage]:
    """The routes among these that do not use the one admission, as errors."""
    return [
        Error(
            f"{method} {path} has no admission: it would forward what nobody set aside for.",
            hint="Give the route gateway.admission.admit.",
            id="butler.E031",
        )
        for (method, path), route in routes.items()
        if route.admit is not admit
    ]
