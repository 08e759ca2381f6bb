"""Django configuration of the app."""

from django.apps import AppConfig


class ButlerSiteConfig(AppConfig):
    """Registers `butler_site`: its system checks and management commands."""

    name = "butler_site"
    verbose_name = "Butler"
