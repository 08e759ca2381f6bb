"""The provider refuses the key: another one takes over, or the client hears why none can."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from alerts.models import Alert
from keys.models import Allocation, ApiKey, Charge, Rotation
from keys.supply.pricing import Rates
from security.models import AuditEntry
from tests.books import assert_books_balance
from tests.gateway import wire
from tests.gateway.server import PATHS, gateway_on, lend, supply, supply_key
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)
every_format = pytest.mark.parametrize("wire_format", list(PATHS))
DEAR = Rates(input=Decimal("0.006"), output=Decimal("0.030"))


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, and a key that sessions are lent on."""
    supply("key-1", priority=9)
    with gateway_on(sandbox, settings) as running:
        yield running


@every_format
@pytest.mark.parametrize("stream", [True, False])
def test_429_cools_the_key_and_the_call_is_held_again_at_the_price_of_another(
    gateway, sandbox, wire_format, stream
):
    supply_key("key-2", rates=DEAR)
    sandbox.fault(key="key-1", status=429, retry_after=7)
    session = lend(gateway.url, wire_format=wire_format)
    answer = session.call("hi [[sandbox output=20]]", stream=stream)
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    refused, made = Charge.objects.order_by("pk")
    assert (refused.status, refused.api_key_id, refused.tokens) == ("released", "key-1", 0)
    assert (made.status, made.api_key_id, made.basis) == ("settled", "key-2", "provider")
    assert made.held_cost == 2 * refused.held_cost
    assert made.cost == Decimal("0.000006") * made.input_tokens + Decimal("0.000600")
    key = ApiKey.objects.get(pk="key-1")
    assert key.status == "cooling"
    assert timedelta(0) < key.cooling_until - timezone.now() <= timedelta(seconds=7)
    assert Rotation.objects.count() == 1
    for action in ("allocation.rotate", "key.change_status"):
        entry = AuditEntry.objects.get(action=action)
        assert (entry.actor, entry.address) == ("gateway", "127.0.0.1")
        assert entry.request_id == answer.headers["x-butler-request-id"]
    assert [call["key"] for call in sandbox.log()] == ["key-1", "key-2"]
    assert_books_balance()


@every_format
def test_429_and_no_other_key_is_told_with_the_time_to_wait(gateway, sandbox, wire_format):
    sandbox.fault(key="key-1", status=429, retry_after=7)
    session = lend(gateway.url, wire_format=wire_format)
    # The second one is told without asking the provider.
    for _ in range(2):
        answer = session.call()
        assert (answer.status, answer.code) == (429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 7
        assert "x-should-retry" not in answer.headers
    assert len(sandbox.log()) == 1
    assert_books_balance()


@every_format
@pytest.mark.parametrize("status", [401, 403])
def test_after_401_and_403_another_key_answers_and_only_a_named_key_is_broken(
    gateway, sandbox, wire_format, status
):
    supply_key("key-2")
    sandbox.fault(key="key-1", status=status)
    answer = lend(gateway.url, wire_format=wire_format).call()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    # Only OpenAI's code of 401 in the sandbox says that the key is invalid.
    named = (wire_format, status) == ("openai", 401)
    assert ApiKey.objects.get(pk="key-1").status == ("broken" if named else "suspended")
    alert = Alert.objects.get(key_id="key-1")
    expected = ("key_broken", "critical") if named else ("key_suspended", "warning")
    assert (alert.kind, alert.severity) == expected
    assert Allocation.objects.get().api_key_id == "key-2"
    assert_books_balance()


@every_format
def test_when_every_key_is_refused_the_answer_is_passed_on_and_a_probe_finds_the_invalid_ones(
    gateway, sandbox, wire_format
):
    supply_key("key-2")
    for slug in ("key-1", "key-2"):
        sandbox.fault(key=slug, status=401, code="invalid_api_key", times=-1)
    session = lend(gateway.url, wire_format=wire_format)
    answer = session.call()
    assert (answer.status, "butler" in answer.json) == (401, False)
    assert set(ApiKey.objects.values_list("status", flat=True)) == {"active"}
    # The probe breaks the first; the next call finds the other one, and nobody is left to ask.
    drain_queue()
    for _ in range(2):
        answer = session.call()
        assert (answer.status, answer.code) == (503, "key_unusable")
        assert answer.headers["x-should-retry"] == "false"
    assert set(ApiKey.objects.values_list("status", flat=True)) == {"broken"}
    assert {charge.status for charge in Charge.objects.all()} == {"released"}
    assert_books_balance()


def test_402_lets_the_key_cool_until_somebody_may_have_paid(gateway, sandbox):
    supply_key("key-2")
    sandbox.fault(key="key-1", status=402)
    answer = lend(gateway.url).call()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    key = ApiKey.objects.get(pk="key-1")
    assert key.cooling_until - timezone.now() > timedelta(minutes=10)
    assert_books_balance()


@every_format
def test_50_calls_at_once_on_a_key_that_answers_429_rotate_once_and_all_are_answered(
    gateway, sandbox, wire_format
):
    supply_key("key-2")
    sandbox.fault(key="key-1", status=429, retry_after=60, times=-1)
    session = lend(gateway.url, wire_format=wire_format)
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda n: session.call(f"call {n}"), range(50)))
    assert {answer.status for answer in answers} == {200}
    drain_queue()
    assert Rotation.objects.count() == 1
    assert Charge.objects.filter(status="settled", api_key="key-2").count() == 50
    assert sum(call["status"] == 200 for call in sandbox.log()) == 50
    assert not Charge.objects.filter(status="held").exists()
    assert_books_balance()


@pytest.mark.parametrize(
    "said", ["²", "9" * 5_000, "-1", "1.5", "0", "soon", "Wed, 21 Oct 2035 07:28:00 GMT", ""]
)
def test_the_key_cools_with_any_time_to_wait_that_the_provider_names(sandbox, settings, said):
    answer = f"HTTP/1.1 429 No\r\nretry-after: {said}\r\ncontent-length: 0\r\n\r\n".encode()
    with wire.wired(answer) as wired, gateway_on(sandbox, settings) as running:
        supply("key-1", base_url=wired.base_url, provider="openai")
        refusal = lend(running.url).call()
    assert (refusal.status, refusal.code) == (429, "rate_limited")
    assert 1 <= int(refusal.headers["retry-after"]) <= 86_400
    assert wired.calls == 1
    assert_books_balance()
