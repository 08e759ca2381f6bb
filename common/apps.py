"""Django configuration of the app."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Registers `common`."""

    name = "common"
