"""Retries and increases of a budget that are repeated with their idempotency key."""

from keys.refusals import IdempotencyMismatch
from orchestration.models import KeyedChange, Task
from security import tokens


def is_repeated(task: Task, idempotency_key: str | None, *, request: str) -> bool:
    """Whether this change of a locked task was made before; if not, it is from now on.

    `request`: the change in words, with which a repeated one is compared. Refusals:
    IdempotencyMismatch.
    """
    if not idempotency_key:
        return False
    if task.retry_key == idempotency_key:
        return True
    earlier = KeyedChange.objects.filter(task=task, idempotency_key=idempotency_key).first()
    if earlier is None:
        KeyedChange.objects.create(
            task=task, idempotency_key=idempotency_key, asked_digest=tokens.keyed_hash(request)
        )
        return False
    if not tokens.matches(request, bytes(earlier.asked_digest)):
        raise IdempotencyMismatch(task_id=task.pk)
    return True
