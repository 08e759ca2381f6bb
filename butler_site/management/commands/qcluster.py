"""`manage.py qcluster`: django-q2's own, but that it ends when one of its processes was killed."""

import logging
import sys

from django_q import cluster
from django_q.management.commands import qcluster

logger = logging.getLogger(__name__)


class Sentinel(cluster.Sentinel):
    """Replaces processes that ended, and ends with those that were killed.

    Whoever waits at a queue between processes holds its lock; killed, it holds it for ever, and
    those that replace it wait for ever too. Whoever started the cluster starts it again; jobs that
    were under way are repeated.
    """

    def reincarnate(self, process):
        """Replace a process, unless a signal ended it."""
        if (process.exitcode or 0) >= 0:
            super().reincarnate(process)
            return
        logger.error("A process of the queue was killed: all of it begins anew.")
        for each in (*self.pool, self.monitor, self.pusher):
            each.kill()
        sys.exit(1)


class Command(qcluster.Command):
    """Run the queue."""

    def handle(self, *args, **options):
        """Until SIGTERM or Ctrl-C, or until one of its processes is killed."""
        # It is looked up there by its name.
        cluster.Sentinel = Sentinel
        super().handle(*args, **options)
