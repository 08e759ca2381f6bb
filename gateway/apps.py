"""The app."""

from django.apps import AppConfig
from django.core import checks


class GatewayConfig(AppConfig):
    """The metering gateway."""

    name = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        """Register the checks; they import what is only there once all apps are."""
        from gateway.checks import every_route_admits  # noqa: PLC0415

        checks.register(every_route_admits)
