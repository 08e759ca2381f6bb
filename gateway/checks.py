"""System checks of the gateway."""

from django.core.checks import CheckMessage, Error

from gateway.admission import admit, identify
from gateway.forwarding import forward
from gateway.routes import ROUTES, Route


def every_route_admits(**kwargs: object) -> list[CheckMessage]:
    """butler.E031: a route can be reached without admission."""
    return unadmitted_routes(ROUTES)


def unadmitted_routes(routes: dict[tuple[str, str], Route]) -> list[CheckMessage]:
    """An error for each route that forwards without `admit`, or answers without `identify`."""
    return [
        Error(
            f"{method} {path} has no admission: it would forward calls without a hold.",
            hint="Give the route gateway.admission.admit.",
            id="butler.E031",
        )
        for (method, path), route in routes.items()
        if route.admit is not (admit if _forwards(route) else identify)
    ]


def _forwards(route: Route) -> bool:
    return route.dialect is not None or route.serve is forward
