"""The jobs of the Token Manager, called by django-q2 as often as `butler_site.schedules` says.

Every job may run twice. The books are right even if no job runs.
"""

from django.utils import timezone

from common import database_clock
from keys import services
from keys.books.queries.books_check import books_check


def expire() -> int:
    """Every minute: close expired allocations and holds; returns how many."""
    # Holds and sessions were given an end by other hosts.
    now = database_clock.now_measured()
    services.forget_leases(now=now)
    return services.expire_charges(now=now) + services.expire_allocations(now=now)


def turn_windows() -> int:
    """Every minute: open the next windows of limits that reset, and reactivate keys with room.

    Each limit has its own reset hour and zone, so the nightly reset and the monthly rollover are
    this job too.
    """
    now = database_clock.now_measured()
    return services.open_windows(now=now) + services.revive_keys(now=now)


def watch_thresholds() -> int:
    """Every minute: thresholds of budgets that no settlement told of, and those that are over.

    Returns how many alerts were raised.
    """
    return services.watch_thresholds(now=timezone.now())


def record_ended_grants() -> int:
    """Every minute: record in the audit which grants have ended; returns how many."""
    return services.record_ended_grants(now=timezone.now())


def refresh_catalogue() -> int:
    """Daily, and after an upgrade: lines of the model catalogue that no user has changed."""
    return services.refresh_catalogue()


def roll_up_usage() -> int:
    """Every 15 minutes: days of usage that are over or have changed; returns how many."""
    return services.roll_up_usage()


def check_books() -> None:
    """Every 15 minutes: count the books again, if that was not done since the last 02:00."""
    if check := services.begin_books_check(now=timezone.now()):
        services.finish_books_check(check, books_check(), now=timezone.now())


def partition_charges() -> int:
    """Daily: move final charges to their months, complete these, and delete those that need not be
    kept; returns how many charges were moved."""
    now = timezone.now()
    moved = services.partition_charges(now=now, until=now + services.PARTITION_TIME)
    services.complete_partitions(now=now)
    services.delete_old_charges(now=now)
    return moved


def rotate_away(slug: str) -> None:
    """Once, when a key was refused or switched off: move its live allocations."""
    services.rotate_away(slug, now=timezone.now())


def rotate_sessions(run_id: int) -> None:
    """Once, when a person asks for it: move the sessions of a key, and say how far it is."""
    services.rotate_sessions(run_id, clock=timezone.now)


def resume_rotations() -> int:
    """Every minute: runs whose job died go on; returns how many."""
    return services.resume_rotations(now=timezone.now())


def rotate_stranded() -> None:
    """Every minute: finish rotations that a crash left undone or that no key could take before."""
    services.rotate_stranded(now=timezone.now())
