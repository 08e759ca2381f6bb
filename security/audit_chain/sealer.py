"""The loop that seals, in a process of its own: `manage.py seal_audit`, which `up` starts."""

import logging
import time
from typing import NoReturn

from django.db import connection
from django.utils import timezone

from common.database_retry import DATABASE_AWAY
from security.audit_chain.seal import BATCH, seal_rows

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.4
_AWAY_SECONDS = 2


def run() -> NoReturn:
    """Seal what waits, again and again, until the process ends.

    It may be killed at any moment, and may run on several machines: one of them works.
    """
    while True:
        time.sleep(_pause())


def _pause() -> float:
    """Seal once; the time to wait before the next, which is 0 if there may be more."""
    try:
        return 0 if seal_rows(now=timezone.now()) >= BATCH else PAUSE_SECONDS
    except DATABASE_AWAY as error:
        logger.warning("The database is away: %s", str(error).partition("\n")[0])
        connection.close()
        return _AWAY_SECONDS
