"""Wake a worker: an entry in the queue of `manage.py work`, whose processes take it as a wake-up
call and do not look into it."""

from django_q.tasks import async_task

CLUSTER = "work"


def wake() -> None:
    """Wake a worker as soon as this transaction commits; it then looks for due work."""
    async_task("orchestration.worker.work_until_done", cluster=CLUSTER, save=False)
