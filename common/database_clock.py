"""The clock of the database, which all hosts share: how far this host's clock is from it."""

import threading
import time
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

# Smaller differences are those of the measurement, and of clocks that NTP keeps.
SKEW_MIN = timedelta(seconds=1)
_MEASURED_EVERY_SECONDS = 30.0


class Measurement(NamedTuple):
    """The time of the database at a moment of the monotonic clock; `skew`: by how much this host's
    clock is ahead of it, and how `uncertain` both are: a slow answer says little."""

    monotonic: float
    at: datetime
    skew: timedelta
    uncertain: timedelta = timedelta()

    @property
    def is_skewed(self) -> bool:
        """Whether the clocks differ by more than a measurement may be wrong."""
        return self.differs(self.skew)

    def differs(self, skew: timedelta) -> bool:
        """Whether a difference of clocks is one, and not the error of the measurement."""
        return abs(skew) >= SKEW_MIN + self.uncertain


def measure() -> Measurement:
    """Ask the database for its time; one query. Half of the round trip is behind the answer."""
    with connection.cursor() as cursor:
        # The connection is there: to open one takes longer than to ask.
        before = time.monotonic()
        cursor.execute("SELECT clock_timestamp()")
        [(there,)] = cursor.fetchall()
        after, here = time.monotonic(), timezone.now()
    half = timedelta(seconds=(after - before) / 2)
    return Measurement(after, there + half, here - there - half, half)


class DatabaseClock:
    """The time by the database's clock, for workers on several hosts.

    It is measured every 30 seconds. Between, the monotonic clock counts, so a clock of the host
    that is set in between has no effect. While both clocks agree, it is the host's. Thread-safe.
    """

    def __init__(self) -> None:
        self._last: Measurement | None = None
        self._lock = threading.Lock()

    @property
    def last(self) -> Measurement | None:
        """The last measurement; None before the first one."""
        return self._last

    def refresh(self) -> bool:
        """Measure again if the last one is old; whether it did. Errors: of the database."""
        with self._lock:
            last = self._last
            if last and time.monotonic() - last.monotonic < _MEASURED_EVERY_SECONDS:
                return False
            self._last = measure()
            return True

    def forget(self) -> None:
        """Go by this host's clock until the next measurement."""
        self._last = None

    def now(self) -> datetime:
        """The time; before the first measurement, that of this host."""
        last, here = self._last, timezone.now()
        if last is None:
            return here
        there = last.at + timedelta(seconds=time.monotonic() - last.monotonic)
        return there if last.differs(here - there) else here


# What the web server's process keeps measuring; in other processes, nothing was measured.
PROCESS_CLOCK = DatabaseClock()


def now() -> datetime:
    """The time by the database's clock where the web server has measured it, else by this host's.

    For what other hosts judge later: when a hold, a session or a task ends.
    """
    return PROCESS_CLOCK.now()


def now_measured() -> datetime:
    """The time by the database's clock, which is asked; by this host's while both agree."""
    measured = measure()
    return measured.at if measured.is_skewed else timezone.now()
