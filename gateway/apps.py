"""The Django app of the gateway."""

from django.apps import AppConfig
from django.core import checks


class GatewayConfig(AppConfig):
    """Configuration of the gateway app."""

    name = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        """Register the system checks, which import modules that need all apps."""
        from gateway.checks import every_route_admits  # noqa: PLC0415

        checks.register(every_route_admits)
