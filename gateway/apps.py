"""The app."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """The metering gateway."""

    name = "gateway"
    verbose_name = "Gateway"
