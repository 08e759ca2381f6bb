"""What a stream holds for a browser that does not read, and the format of its messages."""

import asyncio
from types import SimpleNamespace

from dashboard.live.messages import message
from dashboard.live.stream import Stream
from tests.moments import NOON

ADMISSION = SimpleNamespace(subscription=None, person_id=1)


def sent_by(steps):
    """What a stream sends whose browser takes the first message only after these steps."""

    async def run():
        stream = Stream({}, ADMISSION, checked_at=0)
        taken, blocked = [], asyncio.Event()

        async def send(piece):
            taken.append((piece["body"], piece["more_body"]))
            await blocked.wait()

        stream.post(b"first")
        sending = asyncio.create_task(stream.send_to(send))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        steps(stream)
        blocked.set()
        await sending
        return taken

    return asyncio.run(run())


def test_a_browser_that_reads_slowly_gets_the_newest_message_only():
    def steps(stream):
        for number in range(1_000):
            stream.post(b"state %d" % number)
            stream.beat(b"alive")
        stream.end()

    assert sent_by(steps) == [(b"first", True), (b"", False)]

    def steps_and_bye(stream):
        steps(stream)
        stream.end(b"bye")

    assert sent_by(steps_and_bye) == [(b"first", True), (b"bye", False)]


def test_no_line_end_in_a_text_can_begin_another_field():
    lines = message("", data="a\nb\r\nc\revent: bye\u2028d", at=NOON).decode().split("\n")
    assert lines[1:] == ["data: a", "data: b", "data: c", "data: event: bye", "data: d", "", ""]


def test_a_message_has_a_name_and_the_moment_at_which_it_was_true():
    text = message("alive", at=NOON).decode()
    assert text == f"id: {NOON.isoformat(timespec='milliseconds')}\nevent: alive\ndata: \n\n"
