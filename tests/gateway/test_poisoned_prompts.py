"""One agent sends what a provider refuses, again and again: no other agent notices it.

The refusals are those of Cloudflare's firewall, OpenAI, OpenRouter, Groq, Mistral, DeepSeek,
Anthropic, Moonshot and NVIDIA.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from gateway import jobs, remembered_refusals
from keys import services as keys
from keys.models import ApiKey, Charge, Rotation
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.pool import BLOCKED, HTML, POISON, POOL, gateway, kinds, provider, statuses
from tests.gateway.server import lend
from tests.keys.builders import rotate
from tests.queue import drain_queue

__all__ = ["gateway", "provider"]
pytestmark = pytest.mark.django_db(transaction=True)


class Poison(NamedTuple):
    """A refusal, how often the agent asks for it, and whether it asks differently each time."""

    status: int
    body: object
    times: int
    headers: dict[str, str] = {}
    counted: bool = False


POISONS = {
    "Cloudflare: a page": Poison(403, BLOCKED, 1000, HTML),
    "Cloudflare: a page, counted": Poison(403, BLOCKED, 100, HTML, counted=True),
    "OpenAI: a route": Poison(401, {"error": {"message": "Missing scopes: api.x."}}, 100),
    "OpenAI: an invalid key": Poison(401, {"error": {"code": "invalid_api_key"}}, 100),
    "OpenAI: an invalid key, counted": Poison(
        401, {"error": {"code": "invalid_api_key"}}, 20, counted=True
    ),
    "OpenRouter: too large": Poison(402, {"error": {"message": "can only afford 3919"}}, 100),
    "DeepSeek: balance": Poison(402, {"error": {"message": "Insufficient Balance"}}, 100),
    "Groq: one request": Poison(
        429, {"error": {"message": "Request too large: Limit 6000, Requested 9000"}}, 100
    ),
    "Anthropic: extra usage": Poison(
        429, {"error": {"type": "rate_limit_error"}}, 100, {"x-should-retry": "false"}
    ),
    "Moonshot: a rate": Poison(429, {"error": {"type": "rate_limit_reached_error"}}, 100),
    "Moonshot: a rate, counted": Poison(
        429, {"error": {"type": "rate_limit_reached_error"}}, 30, counted=True
    ),
    "Mistral: unauthorized": Poison(401, {"message": "Unauthorized"}, 100),
    "Mistral: unauthorized, counted": Poison(401, {"message": "Unauthorized"}, 30, counted=True),
    "NVIDIA: forbidden": Poison(403, {"detail": "Authorization failed"}, 100),
    "an error in a 200": Poison(200, {"error": {"code": 401, "message": "no"}}, 100),
}


@pytest.mark.parametrize("case", list(POISONS))
def test_ten_other_agents_on_four_keys_see_no_error_and_the_pool_stays_whole(
    gateway, provider, case
):
    """O29."""
    poison = POISONS[case]
    provider.refuse(poison.status, poison.body, when=POISON, headers=poison.headers)
    for number in range(10):
        keys.create_agent(
            f"agent-{number}", cost_centre="research", actor=ACTOR, now=timezone.now()
        )
    poisoner = lend(gateway.url, tokens=500_000)
    others = [lend(gateway.url, agent=f"agent-{number}") for number in range(10)]

    def ask(number: int) -> bytes:
        return poisoner.call(f"{POISON} {number}" if poison.counted else POISON).body

    def work(session) -> set[int]:
        return {session.call(f"call {n}").status for n in range(20)}

    with ThreadPoolExecutor(14) as threads:
        worked = [threads.submit(work, session) for session in others]
        told = set(threads.map(ask, range(poison.times)))
        assert set().union(*(done.result() for done in worked)) == {200}
    drain_queue()
    jobs.probe_keys()
    body = poison.body if isinstance(poison.body, str) else json.dumps(poison.body)
    assert told == {body.encode()}
    assert statuses() == dict.fromkeys(POOL, "active")
    [alert] = Alert.objects.all()
    assert (alert.kind, alert.agent_id) == ("request_refused", "ada")
    # Of calls that move the session at the same time, some end on a key that they tried before:
    # the first ones, until the request is remembered, or any.
    fewest = 1 if poison.counted else poison.times - len(POOL)
    assert fewest <= alert.facts["times"] <= poison.times
    assert not Charge.objects.filter(status="held").exists()
    assert_books_balance()
    connection.close()


WEAK = [case for case in POISONS if case.startswith(("Mistral", "Moonshot", "NVIDIA"))]
WEAK = [case for case in WEAK if not POISONS[case].counted]
NAMED = ["OpenAI: an invalid key", "DeepSeek: balance"]


@pytest.mark.parametrize("case", [*WEAK, *NAMED])
def test_a_request_that_was_refused_on_two_keys_is_not_compared_again(gateway, provider, case):
    poison = POISONS[case]
    provider.refuse(poison.status, poison.body, when=POISON)
    session = lend(gateway.url)
    assert session.call(POISON).status == poison.status
    calls, moves = len(provider.calls()), Rotation.objects.count()
    assert calls == (4 if case in NAMED else 2)
    for _ in range(3):
        assert session.call(POISON).status == poison.status
    assert len(provider.calls()) == calls + 3
    assert Rotation.objects.count() == moves
    # Another request is compared.
    session.call(f"{POISON}?")
    assert len(provider.calls()) == 2 * calls + 3


def test_after_several_refused_requests_an_agents_next_ones_are_not_compared(gateway, provider):
    provider.refuse(403, "", when=POISON)
    session = lend(gateway.url)
    for number in range(8):
        assert session.call(f"{POISON} {number}").status == 403
    assert len(provider.calls()) == 5 * 2 + 3
    # Another agent's request tells nothing of the agent's.
    lend(gateway.url, agent="bob").call(f"{POISON} 9")
    assert len(provider.calls()) == 5 * 2 + 3 + 2
    assert statuses() == dict.fromkeys(POOL, "active")


def test_a_key_that_had_no_part_in_an_agents_refused_requests_is_compared(gateway, provider):
    provider.refuse(403, "", when=POISON)
    session = lend(gateway.url)
    for number in range(6):
        session.call(f"{POISON} {number}")
    other = next(key for key in POOL if key not in provider.calls())
    provider.refuse(403, "", keys=(other,))
    rotate(session.allocation, ApiKey.objects.get(pk=other), now=timezone.now())
    assert session.call("hello").status == 200
    assert statuses()[other] == "suspended"


def test_the_memory_ends(gateway, provider, monkeypatch):
    monkeypatch.setattr(remembered_refusals, "_SECONDS", -1)
    provider.refuse(403, "", when=POISON)
    session = lend(gateway.url)
    for _ in range(2):
        assert session.call(POISON).status == 403
    assert len(provider.calls()) == 4


def test_another_no_to_the_same_request_is_compared(gateway, provider):
    provider.refuse(403, "", when=POISON)
    session = lend(gateway.url)
    session.call(POISON)
    provider.relent()
    provider.refuse(429, {"error": {"message": "slow down"}}, keys=("key-1", "key-2"))
    answer = session.call(POISON)
    # The memory is of the doubt, not of the rate.
    assert (answer.status, len(provider.calls())) == (429, 4)
    assert kinds() == ["request_refused"]


def test_a_limit_that_says_when_it_ends_is_not_remembered(gateway, provider):
    provider.refuse(429, "", when=POISON, headers={"retry-after": "7"})
    session = lend(gateway.url)
    for _ in range(2):
        assert session.call(POISON).status == 429
    assert len(provider.calls()) == 4


def test_the_memory_is_void_once_one_of_the_keys_is_broken(gateway, provider):
    provider.refuse(401, {"error": {"code": "invalid_api_key"}}, keys=("key-1", "key-2"))
    for slug in POOL[2:]:
        keys.set_key_status(slug, status="inactive", reason="test", actor=ACTOR, now=timezone.now())
    session = lend(gateway.url)
    assert session.call().status == 401
    for slug in POOL[2:]:
        keys.set_key_status(slug, status="active", reason="test", actor=ACTOR, now=timezone.now())
    drain_queue()
    assert session.call().status == 200
    assert_books_balance()
