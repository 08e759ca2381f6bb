"""What django-q2 calls for the gateway. Every job may run twice."""

from django.utils import timezone

from gateway import services


def forget_expired() -> int:
    """Every hour: delete expired prompts and answers, which cannot be read any more."""
    return services.forget_expired(now=timezone.now())
