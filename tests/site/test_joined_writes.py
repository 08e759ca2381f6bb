"""What is written in one turn of the event loop is sent together, in its order."""

import asyncio

import pytest

from butler_site.joined_writes import JoinedWrites


class Transport:
    """Notes what it is asked to send, and in how many system calls."""

    def __init__(self):
        self.sent, self.is_closed = [], False

    def write(self, data):
        assert not self.is_closed
        self.sent.append(data)

    def writelines(self, pieces):
        self.write(b"".join(pieces))

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True

    def get_extra_info(self, name):
        return f"the {name}"


@pytest.fixture
def transport():
    return Transport()


def play(transport, script):
    async def run():
        await script(JoinedWrites(transport))

    asyncio.run(run())
    return transport.sent


def test_the_writes_of_one_turn_are_one(transport):
    async def script(joined):
        joined.write(b"head ")
        joined.write(b"body")
        assert transport.sent == []
        await asyncio.sleep(0)
        joined.write(b"next")
        await asyncio.sleep(0)

    assert play(transport, script) == [b"head body", b"next"]


def test_much_is_sent_at_once_so_that_a_slow_client_is_noticed(transport):
    async def script(joined):
        joined.write(b"head ")
        joined.write(b"x" * 70_000)
        assert transport.sent == [b"head " + b"x" * 70_000]
        joined.write(b"end")
        await asyncio.sleep(0)

    assert play(transport, script)[1:] == [b"end"]


def test_what_was_written_before_the_end_is_sent_before_it(transport):
    async def script(joined):
        joined.write(b"last words")
        joined.close()
        assert transport.is_closed

    assert play(transport, script) == [b"last words"]


def test_a_connection_that_has_gone_is_sent_nothing(transport):
    async def script(joined):
        joined.write(b"too late")
        transport.is_closed = True
        await asyncio.sleep(0)

    assert play(transport, script) == []


def test_everything_else_is_the_transports_own(transport):
    async def script(joined):
        assert joined.get_extra_info("peername") == "the peername"

    play(transport, script)
