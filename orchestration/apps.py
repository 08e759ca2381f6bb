"""The app."""

from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    """The Agent Orchestrator."""

    name = "orchestration"
    verbose_name = "Tasks"
