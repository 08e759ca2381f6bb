"""The jobs of the app, called by django-q2 as often as `butler_site.schedules` says."""

from django.utils import timezone

from orchestration import services as orchestration
from reports import services


def delete_expired_exports() -> int:
    """Every hour: files that are a week old; returns how many."""
    return services.delete_expired_exports(now=timezone.now())


def find_savings() -> int:
    """Every night, and when a person asks: what could have been saved; returns how many proposals
    are new."""
    return services.find_savings(now=timezone.now())


def evaluate_experiments() -> int:
    """Every hour: experiments whose time is over or that are clearly worse; returns how many have
    ended. What they propose is kept at once."""
    ended = orchestration.evaluate_experiments(now=timezone.now())
    if ended:
        services.find_savings(now=timezone.now())
    return ended
