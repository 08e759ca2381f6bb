"""`manage.py qcluster`: django-q2's own, except that it ends if one of its processes is killed."""

import logging
import sys
from typing import Any

from django_q import cluster
from django_q.management.commands import qcluster

logger = logging.getLogger(__name__)


class Sentinel(cluster.Sentinel):
    """Replaces processes that ended, and ends with those that were killed.

    A process that waits at a queue between processes holds the lock of the queue. If it is killed,
    it never releases the lock, and the processes that replace it would wait forever. So the whole
    cluster ends; its supervisor starts it again, and jobs that were running are repeated.
    """

    def reincarnate(self, process: Any) -> None:
        """Replace a process, unless a signal ended it."""
        if (process.exitcode or 0) >= 0:
            super().reincarnate(process)
            return
        logger.error("A process of the queue was killed, so the whole queue restarts.")
        for each in (*self.pool, self.monitor, self.pusher):
            each.kill()
        sys.exit(1)


class Command(qcluster.Command):
    """Run the queue."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Until SIGTERM or Ctrl-C, or until one of its processes is killed."""
        # django-q2 offers no setting for the class; it looks the name up in this module.
        cluster.Sentinel = Sentinel
        super().handle(*args, **options)
