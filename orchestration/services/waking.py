"""Wake a worker: an entry in the queue of `manage.py work`."""

from django_q.tasks import async_task

CLUSTER = "work"


def wake() -> None:
    """Have a worker look for what is to be done, as soon as this transaction commits."""
    async_task("orchestration.jobs.work", cluster=CLUSTER, save=False)
