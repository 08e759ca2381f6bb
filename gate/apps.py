"""The app."""

from django.apps import AppConfig


class GateConfig(AppConfig):
    """The Security Gate where it knows keys."""

    name = "gate"
    verbose_name = "Security Gate"
