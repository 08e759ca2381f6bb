"""What django-q2 calls for the gateway. Every job may run twice."""

from django.utils import timezone

from gateway import services


def probe_key(slug: str) -> None:
    """Once, when a key is in doubt: ask its provider whether it accepts the key."""
    services.probe_each([slug], now=timezone.now())


def probe_keys() -> int:
    """Every minute: ask the providers of suspended keys whether they accept them."""
    return services.probe_keys(now=timezone.now())


def forget_expired() -> int:
    """Every hour: delete expired prompts and answers, which cannot be read any more."""
    return services.forget_expired(now=timezone.now())
