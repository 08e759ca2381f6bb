"""Lend an attempt its token budget on an API key, and collect what its runner needs."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from common.refusal import Refusal
from keys import refusals as keys_refusals
from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import Allocation, ApiKey
from orchestration import prompts, runners
from orchestration.failure_kinds import kind_of
from orchestration.models import Attempt, Concurrency
from orchestration.queries.results import results_needed_by
from orchestration.refusals import RunnerNotFound
from orchestration.runners.base import Failed, Work
from orchestration.services.closed_scopes import ConcurrencyLimits, full_providers
from orchestration.services.finalize import ORCHESTRATOR
from orchestration.services.part_forecasts import kind_of as kind_of_work
from orchestration.services.room import lower_tokens_max, reason_of, seconds_until_reset
from orchestration.task_texts import TASK, description_of, texts_of
from prediction import services as prediction

# The allocation outlives the attempt by this time, so that the end can still be recorded.
_MARGIN_SECONDS = 300


def lend(attempt: Attempt, *, now: datetime) -> Work:
    """Allocate the attempt's tokens on the best API key, and record the allocation.

    Repeating the call returns the same allocation. Raises Failed: `no_capacity` (limits have no
    room), `refused`, or `lost` when another worker has taken the attempt over.
    """
    seconds = (attempt.deadline_at - now).total_seconds()
    description = _description(attempt)
    prediction.record_forecast(
        description,
        agent=attempt.task.agent_id,
        session_id=attempt.session_id,
        group=prediction.Group(
            attempt.sub_task.model, attempt.task.agent_id, kind_of_work(attempt.runner)
        ),
        tokens=attempt.tokens,
        now=now,
    )
    allocation = _allocation(attempt, seconds, now=now)
    if not _start(attempt, allocation):
        _close_if_over(attempt, allocation, now=now)
        raise Failed("lost", "The attempt was taken over.")
    if not _has_place(attempt, allocation):
        raise Failed(
            "no_capacity", f"The concurrency limit of provider:{attempt.provider} is reached."
        )
    return Work(
        session_id=attempt.session_id,
        label=f"butler-{attempt.task.name}",
        prompt=_prompt(attempt, description),
        runner=attempt.runner,
        model=allocation.default_model,
        wire_format=_wire_format(allocation),
        tokens=allocation.allocated,
        seconds=max(seconds, 0),
        gateway_url=f"{settings.GATEWAY_URL}/v1",
        token=session_token(attempt.session_id),
        allocation_id=allocation.pk,
        again=attempt.fence > 1,
    )


def _description(attempt: Attempt) -> str:
    sub_task = attempt.sub_task
    return texts_of(attempt.task).unseal(
        sub_task.sealed_description, place=description_of(sub_task.position)
    )


def _prompt(attempt: Attempt, description: str) -> str:
    task, sub_task = attempt.task, attempt.sub_task
    texts = texts_of(task)
    return prompts.prompt(
        sub_task,
        description=description,
        task_description=texts.unseal(task.sealed_description, place=TASK),
        results=results_needed_by(sub_task, texts=texts),
    )


def _allocation(attempt: Attempt, seconds: float, *, now: datetime) -> Allocation:
    sub_task, task = attempt.sub_task, attempt.task
    terms = _terms(attempt.runner, agent=task.agent_id)
    ttl = int(max(seconds, 0)) + _MARGIN_SECONDS
    request = keys.AllocationRequest(
        tokens=attempt.tokens,
        provider=sub_task.provider or None,
        model=sub_task.model or None,
        cost_centre=task.cost_centre_id,
        ttl_seconds=min(ttl, settings.ALLOCATION_TTL_SECONDS_MAX),
        wire_format=terms.wire_format,
        refusal_status=terms.refusal_status,
        without_providers=_full_providers(),
        label=f"{keys.TASK_LABEL}{task.pk}",
    )
    # Another worker may have allocated it, on terms that are no longer offered.
    earlier = attempt.fence > 1 and _allocations_of(attempt).first()
    allocation = earlier or _allocate(attempt, request, now=now)
    keys_with_provider = ApiKey.objects.select_related("provider")
    allocation.api_key = keys_with_provider.get(pk=allocation.api_key_id)
    return allocation


def _allocations_of(attempt: Attempt) -> QuerySet[Allocation]:
    return Allocation.objects.filter(session_id=attempt.session_id)


def _terms(runner: str, *, agent: str) -> runners.Terms:
    try:
        return runners.terms(runner, agent=agent)
    except RunnerNotFound as gone:
        # It existed, and the agent might use it, when the task was submitted.
        raise Failed(kind_of(gone), gone.detail) from None


def _allocate(attempt: Attempt, request: keys.AllocationRequest, *, now: datetime) -> Allocation:
    try:
        allocation, _ = keys.allocate(
            agent=attempt.task.agent_id,
            request=request,
            idempotency_key=attempt.session_id,
            session_id=attempt.session_id,
            actor=ORCHESTRATOR,
            now=now,
        )
        return allocation
    except keys_refusals.IdempotencyMismatch:
        # It was lent before, with another lifetime: the one that was left then.
        return _allocations_of(attempt).get()
    except Refusal as refusal:
        seconds = seconds_until_reset(refusal, now)
        if lower_tokens_max(attempt.sub_task, request, refusal, now=now):
            attempt.sub_task.save(update_fields=["tokens_max"])
            seconds = None
        says = reason_of(refusal, request.without_providers)
        raise Failed(kind_of(refusal), says, retry_after=seconds) from None


def _full_providers() -> tuple[str, ...]:
    """The providers whose concurrency limit is reached: another one may have room."""
    if not Concurrency.objects.filter(scope__startswith="provider:").exists():
        return ()
    return full_providers(ConcurrencyLimits().full_scopes())


def _start(attempt: Attempt, allocation: Allocation) -> bool:
    """Record the allocation on the attempt; False if another worker has the attempt now."""
    attempt.provider = allocation.api_key.provider_id
    ours = _ours(attempt).update(
        allocation=allocation,
        api_key_id=allocation.api_key_id,
        provider=attempt.provider,
    )
    return ours == 1


def _close_if_over(attempt: Attempt, allocation: Allocation, *, now: datetime) -> None:
    """Close the allocation unless the attempt runs: then the worker that took over uses it."""
    if Attempt.objects.filter(pk=attempt.pk, status=Attempt.Status.RUNNING).exists():
        return
    with suppress(keys_refusals.AllocationClosed):
        keys.fail(allocation_id=allocation.pk, reason="lost", actor=ORCHESTRATOR, now=now)


def _has_place(attempt: Attempt, allocation: Allocation) -> bool:
    """Whether the limit of the chosen provider allows the attempt, after all earlier ones."""
    if attempt.sub_task.provider == attempt.provider:
        return True
    limits = Concurrency.objects.filter(scope=f"provider:{attempt.provider}")
    most = limits.values_list("attempts_max", flat=True).first()
    if most is None:
        return True
    before = Attempt.objects.filter(
        status=Attempt.Status.RUNNING, provider=attempt.provider, pk__lt=attempt.pk
    )
    return before.count() < most


def store_handle(attempt: Attempt, handle: dict[str, Any] | None) -> bool:
    """Record how the runner finds the child again; False if another worker has the attempt."""
    return _ours(attempt).update(handle=handle) == 1


def _ours(attempt: Attempt) -> QuerySet[Attempt]:
    return Attempt.objects.filter(pk=attempt.pk, fence=attempt.fence, status=Attempt.Status.RUNNING)


def _wire_format(allocation: Allocation) -> str:
    if allocation.wire_format:
        return allocation.wire_format
    return "openai" if allocation.api_key.speaks("openai") else "anthropic"
