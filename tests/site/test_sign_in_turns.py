"""Guesses of passwords keep nobody else from signing in, and take little of the machine."""

import asyncio

import pytest

from butler_site.sign_in_turns import SignInTurns


def test_guesses_from_one_address_keep_no_other_waiting():
    turns, order = SignInTurns(), []

    async def check(address):
        async with turns.turn(address):
            order.append(address)
            await asyncio.sleep(0)

    async def all_at_once():
        await asyncio.gather(*map(check, ["guesser"] * 5 + ["staff", "finance"]))

    asyncio.run(all_at_once())
    assert order == ["guesser", "staff", "finance"] + ["guesser"] * 4


def test_one_password_is_checked_at_a_time_and_its_address_then_waits():
    turns, at_work, begun = SignInTurns(), [], []

    async def check(address):
        async with turns.turn(address):
            begun.append(asyncio.get_running_loop().time())
            at_work.append(address)
            assert len(at_work) == 1
            await asyncio.sleep(0.02)
            at_work.pop()

    async def all_at_once():
        await asyncio.gather(*map(check, ["one", "two", "three"]))
        await asyncio.gather(check("one"), check("one"))

    asyncio.run(all_at_once())
    assert begun[4] - begun[3] >= 0.08


def test_a_check_that_fails_leaves_the_turn_to_others():
    turns = SignInTurns()

    async def check():
        async with turns.turn("one"):
            raise ZeroDivisionError

    async def one_after_the_other():
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(check(), 5)

    asyncio.run(one_after_the_other())
