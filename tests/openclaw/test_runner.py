"""OpenClaw as a runner, by itself: what becomes of one child, whatever happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Allocation, Charge, Slot
from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.openclaw import runner as module
from orchestration.runners.openclaw.runner import OpenClawRunner, release_left_over
from tests.gateway.server import MODEL
from tests.keys.builders import allocate
from tests.openclaw.gateway import SLOTS
from tests.threads import wait_until

# Before a first word came, the gateway would wait for the provider whoever leaves.
HANGS = "[[sandbox output=60 stall=mid]]"


def work(prompt: str = "Say hello", *, tokens: int = 200_000, seconds: float = 60) -> Work:
    """An attempt of ada's."""
    lent = allocate("ada", tokens, now=timezone.now(), wire_format="openai", refusal_status=400)
    return Work(
        session_id=lent.session_id,
        label="butler-test",
        prompt=prompt,
        runner="openclaw",
        model=MODEL,
        wire_format="openai",
        tokens=tokens,
        seconds=seconds,
        gateway_url="",
        token="",
        allocation_id=lent.pk,
    )


@asynccontextmanager
async def running():
    """A runner as a worker process has one."""
    runner = OpenClawRunner()
    try:
        yield runner
    finally:
        await runner.close()


async def ended(runner: OpenClawRunner, one: Work, handle: dict) -> Result:
    """What came of a child."""
    async with asyncio.timeout(90):
        while not await runner.poll(one, handle, seconds=15):
            continue
    return await runner.result(one, handle)


async def carried(runner: OpenClawRunner, one: Work) -> Result:
    """Begin a child, wait for its end, forget it."""
    try:
        return await ended(runner, one, await runner.spawn(one))
    finally:
        await runner.forget(one, None)


def run(todo: Callable[[OpenClawRunner], Awaitable]):
    """Do it with a runner of its own."""

    async def done():
        async with running() as runner:
            return await todo(runner)

    return asyncio.run(done())


def carry(one: Work) -> Result:
    """What comes of an attempt."""
    return run(lambda runner: carried(runner, one))


def under_way(sandbox, calls: int) -> None:
    """Until the provider works on so many calls."""
    wait_until(lambda: sandbox.under_way() == calls, seconds=60)


def taken() -> list[str]:
    """The slots in which somebody sits."""
    return list(Slot.objects.exclude(allocation=None).values_list("slug", flat=True))


def used(one: Work) -> int:
    """Tokens of its allocation."""
    return Allocation.objects.get(pk=one.allocation_id).used


def billed(sandbox) -> int:
    """Tokens that the provider saw."""
    return sum(row["input"] + row["output"] for row in sandbox.log())


def test_a_childs_answer_arrives_whole_and_every_token_is_metered(sandbox):
    one = work("[[sandbox output=8000]]")
    result = carry(one)
    assert len(result.text.split()) == 8_000
    assert len(result.text) > 33_000, "longer than what OpenClaw's other ways would give"
    (call,) = sandbox.log()
    assert used(one) == billed(sandbox) == call["input"] + 8_000
    usage = {"input": call["input"], "output": 8_000, "cached": 0, "cache_write": 0}
    assert (result.facts["calls"], result.facts["usage"]) == (1, usage)
    assert taken() == []


def test_a_spawn_that_is_repeated_finds_the_child(sandbox):
    one = work("[[sandbox latency_ms=3000]]")

    async def spawned_thrice(runner):
        first = await runner.spawn(one)
        second = await runner.spawn(replace(one, again=True))
        async with running() as other:
            third = await other.spawn(replace(one, again=True))
        result = await ended(runner, one, third)
        return [first, second, third], result

    handles, result = run(spawned_thrice)
    assert handles == handles[:1] * 3
    assert set(handles[0]) == {"slot", "parent_key", "run_id", "child_key", "task_id"}
    assert result.text
    # The web server may know the key of the test before: then its first hold is released.
    assert len(sandbox.log()) == Charge.objects.exclude(status="released").count() == 1


def test_one_whose_reply_is_lost_is_found_and_stopped(sandbox):
    one = work(HANGS)

    async def cancelled_while_it_spawns(runner):
        spawning = asyncio.create_task(runner.spawn(one))
        await asyncio.sleep(0)
        spawning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawning
        await runner.cancel(one, None)
        children = await runner._children.of(one.session_id)
        await runner.forget(one, None)
        return [child["status"] for child in children]

    assert run(cancelled_while_it_spawns) == ["cancelled"]
    under_way(sandbox, 0)
    assert taken() == []


def test_a_cancelled_child_calls_nobody_any_more_and_frees_its_slot(sandbox):
    one = work(HANGS)

    async def cancelled(runner):
        handle = await runner.spawn(one)
        await asyncio.to_thread(under_way, sandbox, 1)
        began = time.monotonic()
        await runner.cancel(one, handle)
        assert time.monotonic() - began < 5
        assert await runner.poll(one, handle, seconds=1)
        with pytest.raises(Failed) as failed:
            await runner.result(one, handle)
        await runner.cancel(one, handle)
        await runner.forget(one, handle)
        return failed.value.kind

    assert run(cancelled) == "cancelled"
    under_way(sandbox, 0)
    assert taken() == []


def test_one_that_runs_too_long_is_ended_by_openclaw_itself(sandbox):
    with pytest.raises(Failed) as failed:
        carry(work(HANGS, seconds=3))
    assert failed.value.kind == "timeout"
    under_way(sandbox, 0)
    assert taken() == []


def test_a_used_up_budget_fails_at_once_and_the_next_one_has_the_slot(sandbox):
    Slot.objects.exclude(pk="slot01").delete()
    with pytest.raises(Failed) as failed:
        carry(work(tokens=50))
    assert failed.value.kind == "budget_exhausted"
    assert "50 tokens are left" in failed.value.says
    assert sandbox.log() == []
    began = time.monotonic()
    assert carry(work()).text
    assert time.monotonic() - began < 30, "the slot was not shut out"
    assert len(sandbox.log()) == 1


def test_what_the_provider_refuses_fails(sandbox):
    with pytest.raises(Failed) as failed:
        carry(work("[[sandbox status=400]]"))
    assert failed.value.kind == "failed"
    assert taken() == []


def test_no_free_slot_is_no_capacity(sandbox):
    for _ in range(SLOTS):
        keys.take_slot(runner="openclaw", allocation_id=allocate().pk, now=timezone.now())
    with pytest.raises(Failed) as failed:
        carry(work())
    assert failed.value.kind == "no_capacity"
    assert len(taken()) == SLOTS


def test_a_slot_that_openclaw_does_not_know_is_misconfigured(sandbox):
    Slot.objects.all().delete()
    Slot.objects.create(slug="slot99", runner="openclaw")
    with pytest.raises(Failed) as failed:
        carry(work())
    assert failed.value.kind == "misconfigured"
    assert "slot99" in failed.value.says
    assert taken() == []


@pytest.mark.parametrize("setting", ["OPENCLAW_URL", "OPENCLAW_TOKEN"])
def test_a_gateway_that_is_not_set_up_is_misconfigured(sandbox, settings, setting):
    setattr(settings, setting, "" if setting == "OPENCLAW_URL" else "wrong-token-4711")
    one = work()

    async def refused(runner):
        with pytest.raises(Failed) as failed:
            await runner.spawn(one)
        await runner.forget(one, None)
        return failed.value

    failed = run(refused)
    assert failed.kind == "misconfigured"
    assert "4711" not in failed.says


def test_a_gateway_that_is_away_keeps_its_slots_until_it_can_be_asked(
    openclaw, settings, monkeypatch
):
    monkeypatch.setattr(module, "_SPAWNING_PATIENCE_SECONDS", 1)
    settings.OPENCLAW_URL = "ws://127.0.0.1:1"
    with pytest.raises(Failed) as failed:
        carry(work())
    assert failed.value.kind == "unreachable"
    assert asyncio.run(release_left_over()) == 0
    assert taken() == ["slot01"]
    settings.OPENCLAW_URL = openclaw.url
    assert asyncio.run(release_left_over()) == 1
    assert taken() == []


def test_no_token_stands_in_what_openclaw_says(openclaw):
    said = openclaw.said()
    config = openclaw.place.config.read_text()
    assert "slot01" in config
    for line in config.split('"'):
        assert not line.startswith(("bk_", "bo_")) or line not in said
