"""Batches: few and large, and none stops the others for long."""

import asyncio
import threading

from gateway.batches import Batches


class Work:
    """Notes its batches; the batch with `held` in it waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: list[str]) -> list[str]:
        self.batches.append(items)
        if "held" in items:
            self.begun.set()
            assert self.go_on.wait(30)
        return [item.upper() for item in items]

    __name__ = "work"


def test_what_comes_while_a_batch_runs_shares_the_next_one():
    work = Work()

    async def ask() -> list[str]:
        batches = Batches(work, threads=2, patience_seconds=60)
        first = asyncio.create_task(batches.do("held"))
        await asyncio.to_thread(work.begun.wait, 30)
        others = []
        for name in ("a", "b", "c"):
            others.append(asyncio.create_task(batches.do(name)))
            # One tick to ask, another one in which a batch would begin.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        work.go_on.set()
        answers = await asyncio.gather(first, *others)
        batches.close()
        return answers

    assert asyncio.run(ask()) == ["HELD", "A", "B", "C"]
    assert work.batches == [["held"], ["a", "b", "c"]]


def test_a_batch_that_waits_does_not_stop_the_others():
    work = Work()

    async def ask() -> list[str]:
        batches = Batches(work, threads=2, patience_seconds=0.01)
        first = asyncio.create_task(batches.do("held"))
        await asyncio.to_thread(work.begun.wait, 30)
        # Answered although the first one is not.
        answers = [await batches.do("a"), await batches.do("b")]
        work.go_on.set()
        answers.append(await first)
        batches.close()
        return answers

    assert asyncio.run(ask()) == ["A", "B", "HELD"]
