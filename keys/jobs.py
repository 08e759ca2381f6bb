"""What django-q2 calls for the Token Manager. Every job may run twice; none is needed for the
books to be right (`butler_site.schedules` says how often each runs)."""

from django.utils import timezone

from keys import services


def expire() -> int:
    """Every minute: close allocations and holds nobody came back for."""
    now = timezone.now()
    services.forget_leases(now=now)
    return services.expire_charges(now=now) + services.expire_allocations(now=now)


def turn_windows() -> int:
    """Every minute: open the windows of limits whose hour has come, and revive keys with room.

    Each limit has its own reset hour and zone, so the nightly reset and the monthly rollover are
    this job too.
    """
    now = timezone.now()
    return services.open_windows(now=now) + services.revive_keys(now=now)


def rotate_away(slug: str) -> None:
    """Once, when a key was refused or switched off: move its live allocations."""
    services.rotate_away(slug, now=timezone.now())


def rotate_stranded() -> None:
    """Every minute: finish rotations that a crash left, or that no key could take before."""
    services.rotate_stranded(now=timezone.now())
