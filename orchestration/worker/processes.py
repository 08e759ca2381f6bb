"""The processes of `manage.py work`: each works when it is woken, and is replaced when it dies.

They share only the database. In a cluster of django-q2, a process that is killed while it waits
keeps the lock of their shared queue forever, and all others stop getting work.
"""

import logging
import multiprocessing
import signal
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from django.db import connections
from django_q.brokers import Broker, get_broker

from common.database_retry import DATABASE_AWAY, DatabaseRetry
from common.supervisor import die_with_parent
from orchestration.services.wakeup import CLUSTER
from orchestration.worker.loop import work_until_done

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_database = DatabaseRetry(logger)
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Processes:
    """Keeps a number of worker processes running until a signal to stop arrives."""

    def __init__(self, processes: int) -> None:
        self._wanted = processes
        self._running: list[BaseProcess] = []
        self._leaving = threading.Event()

    def run(self) -> None:
        """Keep the processes running. Returns when all have ended, seconds after the signal."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._leave)
        while not self._leaving.is_set():
            self._fill_up()
            # A signal does not interrupt the wait for children, so the flag is checked often.
            ended = wait([each.sentinel for each in self._running], timeout=_PAUSE_SECONDS / 2)
            if ended and not self._leaving.is_set():
                self._remove_dead()
        for each in self._running:
            each.join()

    def _leave(self, *_: object) -> None:
        self._leaving.set()
        for each in self._running:
            each.terminate()

    def _fill_up(self) -> None:
        # Child processes must not share the parent's connections.
        connections.close_all()
        while len(self._running) < self._wanted and not self._leaving.is_set():
            process = multiprocessing.get_context("fork").Process(target=_serve)
            process.start()
            self._running.append(process)

    def _remove_dead(self) -> None:
        for dead in [each for each in self._running if not each.is_alive()]:
            logger.error(
                "A worker process ended with code %s. Starting another one.", dead.exitcode
            )
            self._running.remove(dead)
        # A process that dies at once must not be restarted in a tight loop.
        self._leaving.wait(_PAUSE_SECONDS)


def _serve() -> None:
    """One process. It works before it waits: a wake-up may be lost with a killed process."""
    die_with_parent()
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    broker = get_broker(CLUSTER)
    while not leaving.is_set():
        work_until_done(leaving=leaving)
        while not leaving.is_set() and not _wait_for_wakeup(broker):
            continue


def _wait_for_wakeup(broker: Broker) -> bool:
    """Whether a wake-up arrived; waits half a second for one."""
    try:
        wakes = broker.dequeue() or []
        for number, _ in wakes:
            broker.acknowledge(number)
    except DATABASE_AWAY as error:
        _database.report(error)
        connections.close_all()
        time.sleep(_PAUSE_SECONDS)
        # A wake-up may have been lost.
        return True
    return bool(wakes)
