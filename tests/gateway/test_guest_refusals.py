"""A call on another key than the session's (a guest) is refused there: whose fault it is, and which
key takes it instead. In the words of OpenAI, DeepSeek, Groq, Mistral, Anthropic and Cloudflare."""

import json

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Allocation, Charge, Rotation
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.pool import BLOCKED, HTML, kinds, provider, statuses
from tests.gateway.server import gateway_on, lend, supply, supply_key
from tests.queue import drain_queue

__all__ = ["provider"]
pytestmark = pytest.mark.django_db(transaction=True)
HOSTS = ("host-1", "host-2", "host-3")
# What may be the key's: status, body, and what becomes of the key if it was.
ABOUT_KEY = {
    "OpenAI: incorrect": (401, {"error": {"message": "no", "code": "invalid_api_key"}}, "broken"),
    "DeepSeek: balance": (402, {"error": {"message": "Insufficient Balance"}}, "cooling"),
    "Groq: rate": (429, {"error": {"message": "Rate limit reached"}}, "cooling"),
    "OpenRouter: in a 200": (200, {"error": {"message": "slow down", "code": 429}}, "cooling"),
    "Mistral: unauthorized": (401, {"message": "Unauthorized"}, "suspended"),
    "nobody: nothing": (403, "", "suspended"),
}
each_no = pytest.mark.parametrize("case", list(ABOUT_KEY))


@pytest.fixture
def gateway(sandbox, settings, provider):
    """The gateway, the key of the sessions, and keys that serve another model."""
    supply("key-1", base_url=provider.base_url, priority=9)
    for number, slug in enumerate(HOSTS):
        supply_key(slug, base_url=provider.base_url, model="small", priority=5 - number)
    with gateway_on(sandbox, settings) as running:
        yield running


def others_are_active(*but: str) -> bool:
    """Whether all keys are active, except these."""
    return {status for slug, status in statuses().items() if slug not in but} == {"active"}


@each_no
def test_another_host_answers_and_the_first_is_blamed(gateway, provider, case):
    status, body, becomes = ABOUT_KEY[case]
    provider.refuse(status, body, keys=("host-1",))
    session = lend(gateway.url)
    answer = session.call(model="small")
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "host-2")
    assert (answer.headers["x-butler-model"], statuses()["host-1"]) == ("small", becomes)
    assert others_are_active("host-1")
    assert not Rotation.objects.exists()
    assert [c.status for c in Charge.objects.order_by("pk")] == ["released", "settled"]
    drain_queue()
    # The next guest goes to the key that answered, and the session is where it was.
    assert session.call().headers["x-butler-key-id"] == "key-1"
    assert Allocation.objects.get().api_key_id == "key-1"
    assert_books_balance()


@each_no
def test_the_same_no_of_two_hosts_is_the_requests(gateway, provider, case):
    status, body, _ = ABOUT_KEY[case]
    provider.refuse(status, body, keys=HOSTS)
    session = lend(gateway.url)
    answer = session.call(model="small")
    raw = body if isinstance(body, str) else json.dumps(body)
    assert (answer.status, answer.body.decode()) == (status, raw)
    assert others_are_active()
    assert kinds() == ["request_refused"]
    calls = len(provider.calls())
    assert calls == (3 if case in ("OpenAI: incorrect", "DeepSeek: balance") else 2)
    session.call(model="small")
    assert len(provider.calls()) == calls + 1
    assert_books_balance()


@each_no
def test_a_no_to_the_only_host_is_told_and_the_session_goes_on(gateway, provider, case):
    status, body, becomes = ABOUT_KEY[case]
    for slug in HOSTS[1:]:
        keys.set_key_status(slug, status="inactive", reason="test", actor=ACTOR, now=timezone.now())
    provider.refuse(status, body, keys=HOSTS)
    session = lend(gateway.url)
    answer = session.call(model="small")
    assert answer.code == (
        "rate_limited" if becomes == "cooling" and status != 402 else "key_unusable"
    )
    assert "No other API key that serves small" in answer.json["error"]["message"]
    assert statuses()["host-1"] == becomes
    assert session.call().status == 200
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (403, HTML, BLOCKED),
        (401, {}, {"error": {"message": "Missing scopes: api.responses.write."}}),
        (402, {}, {"error": {"message": "You requested up to 9, but can only afford 8"}}),
        (429, {"x-should-retry": "false"}, {"error": {"message": "Extra usage"}}),
        (413, {}, {"error": {"message": "Request too large: Limit 6000, Requested 9000"}}),
        (529, {}, {"error": {"type": "overloaded_error"}}),
    ],
)
def test_a_no_to_the_request_is_passed_on_and_no_other_host_is_asked(
    gateway, provider, status, headers, body
):
    provider.refuse(status, body, headers=headers)
    assert lend(gateway.url).call(model="small").status == status
    assert set(provider.calls()) == {"host-1"}
    assert others_are_active()
    assert_books_balance()


def test_of_two_hosts_that_are_refused_differently_one_is_blamed(gateway, provider):
    provider.refuse(429, {"error": {"message": "slow down"}}, keys=("host-1",))
    provider.refuse(403, "", keys=("host-2",))
    answer = lend(gateway.url).call(model="small")
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "host-3")
    assert statuses()["host-1"] == "cooling"
    assert others_are_active("host-1")
    assert_books_balance()


def test_a_session_that_named_its_models_stays_with_the_model(gateway, provider):
    provider.refuse(429, "", keys=("host-1",))
    session = lend(gateway.url, models=("gpt-4o", "small"))
    answer = session.call(model="small")
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "host-2")
    assert answer.headers["x-butler-model"] == "small"
