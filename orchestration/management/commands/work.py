"""`manage.py work`."""

import os
import signal
import sys

import psutil
from django.core.management.base import BaseCommand
from django_q.cluster import Cluster
from django_q.conf import Conf

from orchestration.services.waking import CLUSTER
from orchestration.worker.loop import LEAVE_SIGNAL


class Workers(Cluster):
    """A cluster of django-q2 whose jobs are told when it stops: they live as long as what they run,
    and it would wait for them."""

    def stop(self):
        """Ask the jobs to leave, then stop as always."""
        for sentinel in psutil.Process().children():
            for process in sentinel.children():
                process.send_signal(LEAVE_SIGNAL)
        return super().stop()


class Command(BaseCommand):
    """Run the sub-agents of tasks."""

    help = "Run the sub-agents of tasks, many in each of BUTLER_TASK_WORKERS processes."

    def handle(self, *args, **options):
        """Until SIGTERM or Ctrl-C."""
        if Conf.CLUSTER_NAME != CLUSTER:
            # django-q2 reads its name once, when it is imported.
            environ = os.environ | {"Q_CLUSTER_NAME": CLUSTER}
            os.execve(sys.executable, [sys.executable, *sys.argv], environ)  # noqa: S606
        # Its processes inherit that; a job listens to it while it runs.
        signal.signal(LEAVE_SIGNAL, signal.SIG_IGN)
        Workers().start()
