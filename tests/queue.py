"""The queue of django-q2, drained by hand: entries run as the cluster's worker runs them."""

from multiprocessing import Value
from queue import Queue

from django.db import connection
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.monitor import monitor
from django_q.signing import SignedPackage
from django_q.worker import worker


def drain_queue(*, entries_max=1000):
    """Run every queue entry in this process, also those queued meanwhile; return their tasks.

    Pusher, worker and monitor are django-q2's own functions: packages are unpickled and checked,
    the time limit holds (in the main thread), results are stored, entries acknowledged or kept.
    An entry that fails and is kept is tried once. A task is a dict with `func`, `args`, `success`
    and `result` (the traceback when it failed). Needs `django_db(transaction=True)`: the worker
    closes its connections, and a transaction around the test would be lost.
    """
    assert not connection.in_atomic_block, "drain_queue needs django_db(transaction=True)"
    done, seen = [], set()
    while entry := OrmQ.objects.exclude(pk__in=seen).order_by("pk").first():
        seen.add(entry.pk)
        if len(seen) > entries_max:
            raise AssertionError(
                f"More than {entries_max} queue entries: do jobs queue each other?"
            )
        done.append(_run(entry))
    return done


def _run(entry):
    """One entry through worker and monitor."""
    task = SignedPackage.loads(entry.payload)
    task |= {"ack_id": entry.pk, "cluster": Conf.CLUSTER_NAME}
    OrmQ.objects.filter(pk=entry.pk).update(lock=get_broker().timeout(task))
    tasks, results = Queue(), Queue()
    tasks.put(task)
    tasks.put("STOP")
    worker(tasks, results, Value("f", -1), Conf.TIMEOUT)
    finished = results.get_nowait()
    results.put(finished)
    results.put("STOP")
    monitor(results, get_broker())
    return finished


def queue_size():
    """How many entries wait now."""
    return OrmQ.objects.filter(lock__lte=timezone.now()).count()
