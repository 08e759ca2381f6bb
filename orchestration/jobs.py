"""What django-q2 calls for the Agent Orchestrator. Every job may run twice."""

import asyncio
import socket
from datetime import timedelta

from django.utils import timezone
from django_q.brokers import get_broker

from common.database_clock import measure
from orchestration import services
from orchestration.queries.pending_work import is_work_due
from orchestration.runners.openclaw.runner import release_left_over
from orchestration.services.wakeup import CLUSTER


def delete_old_texts() -> int:
    """Every hour: delete prompts and results of tasks whose retention is over."""
    return services.delete_old_texts(now=timezone.now())


def watch_forecasts() -> int:
    """Every minute: running parts that have left their forecast; returns how many alerts were
    raised."""
    return services.watch_forecasts(now=timezone.now())


def maintain_tasks() -> None:
    """Every minute: enforce time limits, clean up after crashed workers, and compare the clocks of
    this host and of the database.

    Finalizes ended attempts, frees OpenClaw slots of ended attempts, and wakes a worker if work is
    due and no wake-up is queued.
    """
    measured = measure()
    now = measured.at if measured.is_skewed else timezone.now()
    services.tell_of_skew(measured, host=socket.gethostname(), now=now)
    services.sweep(now=now)
    services.finalize(now=now)
    asyncio.run(release_left_over())
    waiting = get_broker(CLUSTER).queue_size()
    if not waiting and is_work_due(now=now, within=timedelta(minutes=1)):
        services.wake()
