"""What of the input was sent shortly before is counted by a sample, which no call waits for."""

from time import monotonic

import pytest

from common.batches import Threads
from gateway import repeated_input, settlement
from gateway.models import RepeatedInput
from gateway.services.repeated_input import InputGroup, InputSums, add_repeated_input
from keys.services import Usage
from tests.gateway.server import gateway_on, lend, supply
from tests.threads import wait_until

GROUP = InputGroup(1_980_000, "ada", "key-1", "gpt-4o")
PARTS = [(b"around", 0.25), (b"first", 0.5), (b"second", 1.0)]


@pytest.fixture
def seen():
    threads = Threads(1)
    yield repeated_input.RepeatedInput(threads)
    threads.close()


def repeated(seen, parts=PARTS, *, came_at=None, tokens=8_000, cached=0, group=GROUP):
    """How many tokens were repeated in all, after one more call."""
    came_at = monotonic() if came_at is None else came_at
    usage = Usage(input_tokens=tokens, cached_tokens=cached)
    seen.add(group, parts, usage=usage, came_at=came_at)
    return seen._sums[group].repeated_tokens


def test_the_longest_known_beginning_counts_by_its_share(seen):
    assert repeated(seen) == 0
    assert repeated(seen, [*PARTS[:2], (b"other", 1.0)]) == 4_000
    assert repeated(seen, cached=7_000) == 12_000
    sums = seen._sums[GROUP]
    assert (sums.calls, sums.cached_tokens, sums.missed_tokens) == (3, 7_000, 5_000)
    assert sums.fresh_tokens == 8_000 + 4_000


def test_another_key_a_parallel_call_a_short_one_and_an_old_one_repeat_nothing(seen):
    came = monotonic()
    assert repeated(seen, came_at=came) == 0
    # It came before the first was answered.
    assert repeated(seen, came_at=came) == 0
    assert repeated(seen, group=GROUP._replace(api_key="key-2")) == 0
    assert repeated(seen, tokens=1_000) == 0
    assert repeated(seen, came_at=monotonic() + 301) == 0


def test_one_of_eight_quarters_of_each_agent_is_looked_at():
    looked_at = [repeated_input.is_sampled("ada", quarter) for quarter in range(8_000)]
    assert 900 < sum(looked_at) < 1_100
    assert looked_at != [repeated_input.is_sampled("bob", quarter) for quarter in range(8_000)]


@pytest.mark.django_db
def test_sums_of_several_processes_add_up():
    for _ in range(2):
        add_repeated_input({GROUP: InputSums(2, 100, 60, 10, 50, 40)})
    row = RepeatedInput.objects.get()
    assert (row.calls, row.input_tokens, row.missed_tokens) == (4, 200, 100)
    assert f"{row.starts_at:%H:%M}" == "00:00"


@pytest.mark.django_db(transaction=True)
def test_a_conversation_over_http_is_stored_when_the_gateway_stops(sandbox, settings, monkeypatch):
    monkeypatch.setattr(settlement, "is_sampled", lambda agent, quarter: True)
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, tokens=90_000)
        said = "word " * 3_000
        for more in ([], [{"role": "assistant", "content": "yes"}]):
            messages = [{"role": "user", "content": said}, *more]
            assert session.call(messages=[*messages, {"role": "user", "content": "go on"}])
    wait_until(RepeatedInput.objects.exists)
    row = RepeatedInput.objects.get()
    assert (row.agent, row.api_key, row.calls, row.cached_tokens) == ("ada", "key-1", 2, 0)
    assert 0.4 < row.repeated_tokens / row.input_tokens < 0.5
    assert row.missed_tokens == row.repeated_tokens
