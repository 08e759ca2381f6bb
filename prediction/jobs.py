"""The jobs of forecasts, called by django-q2 as often as `butler_site.schedules` says."""

import logging
import os

from django.db import connections
from django.utils import timezone

from prediction import services

log = logging.getLogger(__name__)


def record_settled_work() -> int:
    """Every 5 minutes: what came of work that has ended; returns how much of it."""
    return services.record_settled_work(now=timezone.now())


def learn_paces() -> int:
    """Every hour: how fast everything with a limit is used; returns how many paces there are."""
    return services.learn_paces(now=timezone.now())


def watch_limits() -> int:
    """Every 5 minutes: limits that will be exhausted before their reset; returns how many alerts
    were raised."""
    return services.watch_limits(now=timezone.now())


def watch_calls() -> int:
    """Every 5 minutes: loops, stuck sessions and retry storms; returns how many alerts were
    raised."""
    return services.watch_calls(now=timezone.now())


def watch_usage() -> int:
    """Every hour: spikes, slow creep and changed prices; returns how many alerts were raised."""
    return services.watch_usage(now=timezone.now())


def train() -> None:
    """Every 6 hours: learn a new version, in a process of its own, whose memory is free afterwards.

    RuntimeError if that process fails or is killed; the next one begins from the start.
    """
    # The child opens a connection of its own.
    connections.close_all()
    child = os.fork()
    if not child:
        _train_and_exit()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"The training ended with status {status}.")


def _train_and_exit() -> None:
    status = 1
    try:
        services.train_model(now=timezone.now())
        status = 0
    except Exception:
        log.exception("The training of forecasts failed.")
    finally:
        os._exit(status)
