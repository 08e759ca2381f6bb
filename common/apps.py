"""Django configuration of the app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CommonConfig(AppConfig):
    """Registers `common`, and the pages that the apps name in their `links` modules."""

    name = "common"

    def ready(self) -> None:
        """Fill the table of links."""
        autodiscover_modules("links")
