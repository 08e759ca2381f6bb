"""Statements of an event loop: together they are a transaction; a lost connection is replaced."""

import asyncio
from typing import NamedTuple

import pytest
from django.db import DatabaseError, DataError, connection
from psycopg import connect

from common.loop_connections import LoopConnections
from common.statements import NoRow, Statement, run

pytestmark = pytest.mark.django_db(transaction=True)


class Number(NamedTuple):
    """One number."""

    number: int


ECHO = Statement("SELECT %(number)s::bigint AS number", Number)
DIVIDE = Statement("SELECT (100 / %(number)s::bigint) %% 7 AS number", Number)
NAMED = Statement("SELECT current_setting('work_mem')::text AS number", Number)
PID = Statement("SELECT pg_backend_pid() AS number", Number)
MAKE = Statement("CREATE TABLE IF NOT EXISTS loop_numbers (number bigint)", NoRow)
DROP = Statement("DROP TABLE IF EXISTS loop_numbers", NoRow)
INSERT = Statement("INSERT INTO loop_numbers VALUES (%(number)s)", NoRow)
COUNT = Statement("SELECT count(*) AS number FROM loop_numbers", Number)
SLEEP = Statement("SELECT 1::bigint AS number FROM pg_sleep(%(number)s)", Number)


def asked(*steps):
    """Work that asks once, and returns the first number of each statement."""
    answers = yield steps
    return [rows[0].number if rows else None for rows in answers]


def on_loop(use, *, most=1):
    """What `use(connections)` returns on a loop of its own."""

    async def session():
        connections = LoopConnections(most, settings={"work_mem": "5MB"})
        try:
            return await use(connections)
        finally:
            await connections.close()

    return asyncio.run(session())


@pytest.fixture
def numbers(db):
    run(asked((MAKE, {})))
    yield
    run(asked((DROP, {})))


def test_it_answers_as_a_thread_does():
    # Of each size of integer, which psycopg sends with a type of its own.
    for number in (1, 40_000, 3_000_000_000, None):
        steps = ((ECHO, {"number": number}), (DIVIDE, {"number": 9}))
        assert on_loop(lambda c, s=steps: c.run(asked(*s))) == run(asked(*steps)) == [number, 4]


def test_its_connections_have_the_settings_of_the_loop():
    assert on_loop(lambda connections: connections.run(asked((NAMED, {})))) == ["5MB"]


def test_statements_that_run_together_are_one_transaction(numbers):
    steps = (INSERT, {"number": 1}), (DIVIDE, {"number": 0})

    async def use(connections):
        with pytest.raises(DataError, match="division by zero"):
            await connections.run(asked(*steps))
        # The same connection, and the statement that was prepared before the error.
        return await connections.run(asked((INSERT, {"number": 2}), (DIVIDE, {"number": 9})))

    assert on_loop(use) == [None, 4]
    with pytest.raises(DataError):
        run(asked(*steps))
    assert run(asked((COUNT, {}))) == [1]


def test_the_work_hears_of_the_error_and_may_go_on():
    def divide():
        try:
            yield ((DIVIDE, {"number": 0}),)
        except DatabaseError:
            [[row]] = yield ((ECHO, {"number": 5}),)
        return row.number

    assert on_loop(lambda connections: connections.run(divide())) == run(divide()) == 5


def test_a_connection_that_the_database_closed_is_replaced():
    async def use(connections):
        [before] = await connections.run(asked((PID, {})))
        await asyncio.to_thread(terminate, before)
        [after] = await connections.run(asked((PID, {})))
        return before, after

    before, after = on_loop(use)
    assert before != after


def terminate(pid):
    """End a backend, from a connection of its own."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        parameters.pop(name, None)
    with connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_the_answer_of_work_that_was_cancelled_is_not_taken_for_the_next():
    async def use(connections):
        await connections.run(asked((PID, {})))
        slow = asyncio.create_task(connections.run(asked((SLEEP, {"number": 30}))))
        await asyncio.sleep(0.1)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        return await connections.run(asked((ECHO, {"number": 7})))

    assert on_loop(use) == [7]


def test_work_that_needs_no_statement_ends_at_once():
    def nothing():
        return "done"
        yield

    assert on_loop(lambda connections: connections.run(nothing())) == run(nothing()) == "done"


def test_each_connection_serves_one_piece_of_work_at_a_time():
    async def use(connections):
        works = [connections.run(asked((PID, {}), (SLEEP, {"number": 0.05}))) for _ in range(6)]
        return {pid for pid, _ in await asyncio.gather(*works)}

    assert len(on_loop(use, most=2)) == 2
