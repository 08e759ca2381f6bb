"""Django configuration of the app."""

from django.apps import AppConfig


class PredictionConfig(AppConfig):
    """Registers `prediction`."""

    name = "prediction"
    verbose_name = "Prediction"
    default_auto_field = "django.db.models.BigAutoField"
