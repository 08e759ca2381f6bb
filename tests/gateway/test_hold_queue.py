"""Calls of one session that do not fit yet wait in turn, for a bounded time."""

import asyncio

import pytest

from common.request_body import ClientGone
from gateway.hold_queue import HoldQueue
from keys.refusals import AllocationExhausted, BudgetInFlight
from tests.moments import NOON

NEVER = 3600


class Client:
    """A client that stays until `leave`."""

    def __init__(self):
        self._gone = asyncio.Event()
        self.leave = self._gone.set

    async def wait_for_disconnect(self):
        await self._gone.wait()


class Budget:
    """A budget of one session: `attempt` takes of it, `settle` gives back."""

    def __init__(self, allocated):
        self.queue, self.allocated, self.used, self.held = HoldQueue(), allocated, 0, 0
        self.order, self.tries, self.allocation_id = [], 0, 1

    def _facts(self, needed):
        return {
            "session_id": "ses-1",
            "allocated": self.allocated,
            "used": self.used,
            "held": self.held,
            "left": self.allocated - self.used - self.held,
            "needed": needed,
            "starts_at": NOON,
            "ends_at": NOON,
        }

    def call(self, most, *, least=1, client=None, wait=NEVER, name=None):
        """A call that takes `most` whole, as a task."""

        async def attempt():
            self.tries += 1
            await asyncio.sleep(0)
            left = self.allocated - self.used - self.held
            if left < most and (self.held or left < least):
                fits_alone = self.held and least <= self.allocated - self.used
                raise (BudgetInFlight if fits_alone else AllocationExhausted)(**self._facts(least))
            self.held += (taken := min(most, left))
            self.order.append(most if name is None else name)
            return taken

        until = asyncio.get_running_loop().time() + wait
        return asyncio.create_task(
            self.queue.hold(
                attempt,
                allocation_id=self.allocation_id,
                least=least,
                client=client or Client(),
                until=until,
            )
        )

    def settle(self, held, used=0):
        self.held -= held
        self.used += used
        self.queue.wake(self.allocation_id)


async def rest():
    """Let every task run as far as it comes without a pause."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_call_that_fits_does_not_wait():
    async def run():
        budget = Budget(100)
        assert await budget.call(60) == 60
        assert budget.tries == 1

    asyncio.run(run())


def test_a_call_waits_for_the_one_in_flight_and_is_whole():
    async def run():
        budget = Budget(100)
        await budget.call(60)
        second = budget.call(60)
        await rest()
        assert not second.done()
        budget.settle(60, used=10)
        assert await second == 60

    asyncio.run(run())


def test_the_first_that_came_is_served_first_also_if_a_later_one_would_fit():
    async def run():
        budget = Budget(100)
        await budget.call(60)
        calls = [budget.call(90, name="large")]
        await rest()
        calls += [budget.call(10, name="small"), budget.call(20, name="middle")]
        await rest()
        assert budget.order == [60]
        budget.settle(60)
        assert await calls[0] == 90
        assert await calls[1] == 10
        await rest()
        assert not calls[2].done()
        budget.settle(90)
        assert await calls[2] == 20
        assert budget.order == [60, "large", "small", "middle"]

    asyncio.run(run())


def test_one_settlement_lets_in_all_that_fit():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        calls = []
        for _ in range(5):
            calls.append(budget.call(25))
            await rest()
        budget.settle(100)
        await rest()
        assert [call.done() for call in calls] == [True, True, True, True, False]
        budget.settle(25)
        assert await calls[4] == 25

    asyncio.run(run())


def test_another_process_that_settles_is_noticed_without_being_woken():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        second = budget.call(50)
        await rest()
        budget.held = 0
        assert await second == 50

    asyncio.run(run())


@pytest.mark.parametrize("waiting", [1, 5])
def test_the_wait_is_bounded_for_the_first_and_for_all_behind_it(waiting):
    async def run():
        budget = Budget(100)
        await budget.call(100)
        calls = [budget.call(50, wait=0.2) for _ in range(waiting)]
        for call in calls:
            with pytest.raises(BudgetInFlight) as refused:
                await call
            assert refused.value.held == 100
        assert budget.queue._lines == {}

    asyncio.run(run())


def test_without_a_time_to_wait_it_is_refused_at_once():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        with pytest.raises(BudgetInFlight):
            await budget.call(50, wait=0)

    asyncio.run(run())


def test_a_call_that_can_never_fit_is_refused_at_once_also_behind_others():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        waiting = budget.call(50)
        await rest()
        with pytest.raises(AllocationExhausted):
            await budget.call(200, least=101)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())


def test_what_was_used_in_flight_ends_the_wait_of_all_that_no_longer_fit():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        calls = [budget.call(50, least=30) for _ in range(4)]
        await rest()
        budget.settle(100, used=80)
        for call in calls:
            with pytest.raises(AllocationExhausted):
                await call

    asyncio.run(run())


def test_a_call_takes_what_is_left_only_when_it_is_alone():
    async def run():
        budget = Budget(100)
        await budget.call(60)
        second = budget.call(60, least=10)
        await rest()
        assert not second.done()
        budget.settle(60, used=60)
        assert await second == 40

    asyncio.run(run())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_client_that_leaves_gives_its_place_to_the_next(place):
    async def run():
        budget = Budget(100)
        await budget.call(100)
        clients = [Client(), Client(), Client()]
        calls = [budget.call(100, client=client, name=n) for n, client in enumerate(clients)]
        await rest()
        clients[place].leave()
        with pytest.raises(ClientGone):
            await calls[place]
        others = [n for n in range(3) if n != place]
        for n in others:
            budget.settle(100)
            assert await calls[n] == 100
        assert budget.order == [100, *others]

    asyncio.run(run())


def test_a_call_that_is_cancelled_gives_its_place_to_the_next():
    async def run():
        budget = Budget(100)
        await budget.call(100)
        calls = [budget.call(100, name=n) for n in range(3)]
        await rest()
        calls[0].cancel()
        budget.settle(100)
        assert await calls[1] == 100
        calls[2].cancel()
        await rest()
        assert budget.queue._lines == {}

    asyncio.run(run())


def test_sessions_do_not_wait_for_each_other():
    async def run():
        one, other = Budget(100), Budget(100)
        other.queue, other.allocation_id = one.queue, 2
        await one.call(100)
        waiting = one.call(100)
        await rest()
        assert await other.call(100) == 100
        waiting.cancel()

    asyncio.run(run())
