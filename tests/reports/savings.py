"""First attempts as they are in the end, without running each of them."""

from copy import copy
from decimal import Decimal
from itertools import count

from keys.models import Allocation, ApiKey
from orchestration.models import Attempt, ExperimentPart, SubTask
from tests.moments import NOON
from tests.orchestration.work import finish_attempt, start_attempts, submit_at_noon

_NUMBERS = count(1_000)


def tried(key, times, *, failures=0, cost=1, model="", number=1, experiment=None, is_tried=False):
    """ada's parts that were tried on a key at noon: as rows, like one that was really tried.

    With an `experiment` they are parts of it.
    """
    one = _really_tried(key)
    parts, allocations, attempts = [], [], []
    for n in range(times):
        name = f"{next(_NUMBERS)}"
        part, allocation, attempt = copy(one.sub_task), copy(one.allocation), copy(one)
        part.pk, part.key, part.position = None, name, int(name)
        allocation.pk, allocation.session_id, allocation.idempotency_key = None, name, None
        allocation.used_cost = Decimal(str(cost)) * (95 + n % 11) / 100
        allocation.api_key_id, allocation.named_models = key, [model] if model else []
        attempt.pk, attempt.session_id, attempt.number = None, name, number
        attempt.api_key_id, attempt.status = key, "failed" if n < failures else "succeeded"
        part.status, part.model, part.provider = attempt.status, model, ""
        attempt.error_kind = "failed" if n < failures else ""
        attempt.sub_task, attempt.allocation = part, allocation
        parts.append(part)
        allocations.append(allocation)
        attempts.append(attempt)
    SubTask.objects.bulk_create(parts)
    Allocation.objects.bulk_create(allocations)
    for attempt in attempts:
        attempt.sub_task_id, attempt.allocation_id = attempt.sub_task.pk, attempt.allocation.pk
    Attempt.objects.bulk_create(attempts)
    if experiment:
        ExperimentPart.objects.bulk_create(
            ExperimentPart(experiment=experiment, sub_task=part, is_tried=is_tried)
            for part in parts
        )


def _really_tried(key):
    """One that names its provider, so no experiment looks at it."""
    provider = ApiKey.objects.get(pk=key).provider_id
    submit_at_noon({"description": "File the invoice", "provider": provider}, budget=20_000)
    [attempt] = start_attempts()
    finish_attempt(attempt, used=10, now=NOON)
    rows = Attempt.objects.select_related("sub_task", "allocation")
    return rows.get(pk=attempt.pk)
