"""One call of a batch must not harm the others, and none may be forgotten."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, transaction

from common.batches import Batches
from keys.models import Allocation, Charge
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply
from tests.threads import is_waiting as somebody_waits_for_a_lock
from tests.threads import wait_until


def test_what_one_item_breaks_is_raised_only_where_it_was_asked_for():
    async def work(items):
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]

    async def ask():
        batches = Batches(work, at_once=1)
        asked = [batches.do(item) for item in ("a", "bad", "b")]
        return await asyncio.gather(*asked, return_exceptions=True)

    a, bad, b = asyncio.run(ask())
    assert (a, b) == ("A", "B")
    assert isinstance(bad, ValueError)


def test_a_database_that_is_away_is_not_asked_for_each_of_them():
    tried = []

    async def work(items):
        tried.append(items)
        raise OperationalError("away")

    async def ask():
        batches = Batches(work, at_once=1)
        return await asyncio.gather(*map(batches.do, range(5)), return_exceptions=True)

    assert {type(answer) for answer in asyncio.run(ask())} == {OperationalError}
    assert tried == [[0, 1, 2, 3, 4]]


def test_an_item_whose_caller_left_is_not_started_or_its_answer_is_discarded():
    begun, go, done, discarded = asyncio.Event(), asyncio.Event(), [], []

    async def work(items):
        begun.set()
        await go.wait()
        done.extend(items)
        return items

    async def ask():
        batches = Batches(work, at_once=1, discard=discarded.append)
        first = asyncio.create_task(batches.do("first"))
        await begun.wait()
        second = asyncio.create_task(batches.do("second"))
        third = asyncio.create_task(batches.do("third"))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        go.set()
        return await third

    assert asyncio.run(ask()) == "third"
    assert done == ["first", "third"]
    assert discarded == ["first"]


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_is_made_after_its_call_was_cancelled_is_given_back(sandbox, settings):
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url)
        with ThreadPoolExecutor(2) as threads:
            with transaction.atomic():
                Allocation.objects.select_for_update().get()
                answer = threads.submit(session.call)
                wait_until(somebody_waits_for_a_lock)
                stopping = threads.submit(gateway.stop)
                assert answer.result().status == 503
            stopping.result()
        assert not sandbox.log()
    assert Charge.objects.get().status == "released"
    assert_books_balance()
