"""Django configuration of the app."""

import logging

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AlertsConfig(AppConfig):
    """Registers `alerts`."""

    name = "alerts"
    verbose_name = "Alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the registries of this app, and keep channel URLs out of the logs.

        Apprise and the HTTP client under it log addresses, tokens and payloads when something
        lowers the log level. The delivery log has what people need of it, redacted.
        """
        autodiscover_modules("alert_kinds", "alert_surroundings", "alert_recipients", "alert_rules")
        apprise_logger = logging.getLogger("apprise")
        apprise_logger.setLevel(logging.WARNING)
        apprise_logger.propagate = False
        logging.getLogger("urllib3").setLevel(logging.INFO)
