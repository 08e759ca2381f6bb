"""A call is served by the model it names, at its price, or by the default, which says so."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Allocation, Charge, Window
from keys.refusals import WrongValue
from keys.supply.pricing import Rates
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, supply, supply_key
from tests.keys.builders import allocate, limit

pytestmark = pytest.mark.django_db(transaction=True)
CHEAP = Rates(input=Decimal("0.00015"), output=Decimal("0.0006"))
DEAR = Rates(input=Decimal("0.06"), output=Decimal("0.12"))


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, and a key of OpenAI's whose default is gpt-4.1, at the bundled prices."""
    supply("key-1", provider="openai", model="gpt-4.1", rates=None, priority=9)
    with gateway_on(sandbox, settings) as running:
        yield running


def serve(slug, *serves, **rates):
    """Let a key serve more models, those in `rates` at other prices."""
    keys.set_served_models(
        slug, serves=serves, rates=rates, actor=ACTOR, reason="test", now=timezone.now()
    )


def embed(session, model, **fields):
    """An embeddings call."""
    body = json.dumps({"model": model, "input": "hello there", **fields}).encode()
    return request(session, "POST", "/v1/embeddings", body)


def request(session, method, path, body=None, **headers):
    """Any request of the session's."""
    with closing(HTTPConnection(urlsplit(session.url).netloc, timeout=30)) as way:
        way.request(method, path, body, {"authorization": f"Bearer {session.token}", **headers})
        return answer_of(way)


def charge():
    """The newest charge."""
    return Charge.objects.latest("pk")


def test_a_model_that_the_key_serves_is_used_and_charged_at_its_own_price(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    answer = lend(gateway.url).call(model="gpt-4o-mini")
    made = charge()
    assert (answer.status, answer.headers["x-butler-model"]) == (200, "gpt-4o-mini")
    assert (made.model, made.asked_model, made.price.model) == ("gpt-4o-mini", "", "gpt-4o-mini")
    # 0.15 and 0.60 USD per million tokens.
    per_token = (Decimal("0.00000015"), Decimal("0.0000006"))
    assert made.cost == made.input_tokens * per_token[0] + made.output_tokens * per_token[1]
    # 1 USD per million as priority, which the account may be set to.
    assert made.held_cost == made.held_tokens * Decimal("0.000001")
    assert [call["model"] for call in sandbox.log()] == ["gpt-4o-mini"]
    assert_books_balance()


@pytest.mark.parametrize(
    ("serves", "asked", "priced"),
    [
        (["gpt-4o*"], "gpt-4o-mini", "gpt-4o-mini"),
        (["gpt-4o*"], "gpt-4o-2024-08-06", "gpt-4o"),
        (["*"], "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        (["*"], "o3-mini", "o3-mini"),
        (["gpt-4.1-nano", "o3*"], "GPT-4.1-nano", "gpt-4.1-nano"),
        ([], "gpt-4.1-2025-04-14", "gpt-4.1"),
    ],
)
def test_names_versions_and_patterns_find_the_price_of_their_model(
    gateway, sandbox, serves, asked, priced
):
    serve("key-1", *serves)
    session = lend(gateway.url)
    answer = session.call(model=asked)
    assert (answer.status, charge().price.model, charge().asked_model) == (200, priced, "")
    [sent] = [call["model"] for call in sandbox.log()]
    assert sent.lower() == asked.lower()


@pytest.mark.parametrize("asked", ["any", "", "auto", "default", None])
def test_a_call_that_names_no_model_gets_the_default(gateway, asked):
    answer = lend(gateway.url).call(model=asked)
    assert (answer.status, answer.headers["x-butler-model"]) == (200, "gpt-4.1")
    assert (charge().model, charge().asked_model) == ("gpt-4.1", "")


def test_a_model_that_nothing_serves_is_answered_by_the_default_which_says_so(gateway, sandbox):
    answer = lend(gateway.url).call(model="claude-opus-4-1")
    assert (answer.status, answer.headers["x-butler-model"]) == (200, "gpt-4.1")
    assert (charge().model, charge().asked_model) == ("gpt-4.1", "claude-opus-4-1")
    assert [call["model"] for call in sandbox.log()] == ["gpt-4.1"]


def test_a_session_that_refuses_a_mismatch_hears_which_models_it_has(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    answer = lend(gateway.url, model_mismatch="refuse").call(model="claude-opus-4-1")
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert answer.json["butler"]["models"] == ["gpt-4.1", "gpt-4o-mini"]
    assert not sandbox.log()
    assert not Charge.objects.exists()


def test_a_session_lent_for_models_has_these_and_no_others(gateway, sandbox):
    serve("key-1", "gpt-4o-mini", "gpt-4o")
    session = lend(gateway.url, models=("gpt-4o-mini", "gpt-4.1"))
    assert session.call(model="gpt-4.1").status == 200
    assert session.call(model="any").headers["x-butler-model"] == "gpt-4o-mini"
    answer = session.call(model="gpt-4o")
    assert (answer.status, answer.json["butler"]["models"]) == (404, ["gpt-4o-mini", "gpt-4.1"])
    # What is set aside is enough for the dearest of them.
    assert Allocation.objects.get().price.model == "gpt-4.1"
    assert_books_balance()


def test_the_list_of_models_is_what_the_session_can_use(gateway):
    serve("key-1", "gpt-4o-mini", "gpt-4o")
    every, some = lend(gateway.url), lend(gateway.url, models=("gpt-4o",))
    names = {
        session: [m["id"] for m in request(session, "GET", "/v1/models").json["data"]]
        for session in (every, some)
    }
    assert names == {every: ["gpt-4.1", "gpt-4o", "gpt-4o-mini"], some: ["gpt-4o"]}
    assert request(every, "GET", "/v1/models/gpt-4o-mini").json["id"] == "gpt-4o-mini"
    assert request(some, "GET", "/v1/models/gpt-4o-mini").status == 404
    version = "anthropic-version"
    listed = request(some, "GET", "/v1/models", **{version: "2023-06-01"}).json
    assert (listed["first_id"], [m["id"] for m in listed["data"]]) == ("gpt-4o", ["gpt-4o"])


def test_embeddings_beside_chat_go_to_a_key_that_serves_them(gateway, sandbox):
    supply_key("key-2", provider="openai", model="text-embedding-3-small", rates=None)
    session = lend(gateway.url)
    answer = embed(session, "text-embedding-3-small")
    made = charge()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    assert (made.api_key_id, made.price.model) == ("key-2", "text-embedding-3-small")
    assert made.cost == made.input_tokens * Decimal("0.00000002")
    assert session.call().headers["x-butler-key-id"] == "key-1"
    assert Allocation.objects.get().api_key_id == "key-1"
    assert Window.objects.get(scope="key:key-2", unit="tokens").used == made.tokens
    assert_books_balance()


@pytest.mark.parametrize("asked", ["text-embedding-3-small", "gpt-4.1", "any", "voyage-3"])
def test_a_route_that_no_model_can_serve_is_refused_and_never_sent(gateway, sandbox, asked):
    answer = embed(lend(gateway.url), asked)
    assert (answer.status, answer.code) == (404, "model_not_served")
    assert not sandbox.log()


def test_one_key_for_each_model_when_no_key_serves_all(gateway, sandbox):
    supply_key("key-2", provider="openai", model="text-embedding-3-small", rates=None)
    session = lend(gateway.url, models=("text-embedding-3-small", "gpt-4.1"))
    assert Allocation.objects.get().price.model == "gpt-4.1"
    assert embed(session, "any").headers["x-butler-key-id"] == "key-2"
    assert session.call(model="gpt-4.1").headers["x-butler-key-id"] == "key-1"
    assert session.call(model="any").headers["x-butler-model"] == "gpt-4.1"
    assert session.call(model="gpt-4o").status == 404
    assert_books_balance()


def test_a_guest_is_held_in_the_limits_of_its_key_while_it_runs(gateway, sandbox):
    key = supply_key("key-2", provider="p2", model="small", rates=CHEAP, tokens=2_000)
    session = lend(gateway.url)
    assert session.call(model="small", max_tokens=50).status == 200
    limit(key, 60, unit="tokens", now=timezone.now())
    answer = session.call(model="small", max_tokens=50)
    assert (answer.status, answer.code) == (503, "key_full")
    assert_books_balance()


def test_a_dearer_model_is_held_at_its_price_and_never_beyond_the_usd_set_aside(gateway, sandbox):
    supply_key("key-2", provider="p2", model="dear", rates=DEAR)
    session = lend(gateway.url, tokens=10_000)
    lent = Allocation.objects.get()
    # 10,000 tokens of gpt-4.1 at 14 USD per million, as priority; the dear one costs 120.
    assert lent.allocated_cost == Decimal("0.14")
    answer = session.call(model="dear", max_tokens=5_000)
    made = charge()
    assert (answer.status, made.model, made.held_tokens) == (200, "dear", 1166)
    assert made.held_cost <= lent.allocated_cost
    lent.refresh_from_db()
    assert lent.used_cost == made.cost <= lent.allocated_cost
    while session.call(model="dear", max_tokens=300).status == 200:
        pass
    lent.refresh_from_db()
    assert lent.used_cost <= lent.allocated_cost
    assert_books_balance()


def test_a_session_rotates_only_to_a_key_that_serves_its_models(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    supply_key("key-2", provider="openai", model="gpt-4.1", rates=None)
    supply_key("key-3", provider="openai", model="gpt-4.1", rates=None, serves=("gpt-4o*",))
    session = lend(gateway.url, models=("gpt-4.1", "gpt-4o-mini"))
    sandbox.fault(key="key-1", status=429, retry_after=7)
    answer = session.call(model="gpt-4o-mini")
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-3")
    assert charge().price.model == "gpt-4o-mini"
    assert_books_balance()


def test_a_price_of_its_own_for_a_served_model(gateway):
    serve("key-1", "gpt-4o-mini", **{"gpt-4o-mini": CHEAP})
    serve("key-1", "gpt-4o-mini", "gpt-4o")
    lend(gateway.url).call(model="gpt-4o-mini")
    assert charge().price.rates.output == CHEAP.output


def test_a_name_without_a_price_is_refused_and_nothing_changes(gateway):
    with pytest.raises(WrongValue) as refusal:
        serve("key-1", "my-own-model")
    assert "my-own-model" in refusal.value.detail
    assert allocate(tokens=1000, now=timezone.now()).api_key_id == "key-1"


@pytest.mark.parametrize(
    "asked", ["gpt-4o-" + "9" * 300, "x" * 201, "gpt-4o\0", "a\0b", "gpt-4.1\n", "\x1b[31m"]
)
def test_a_name_that_no_charge_can_keep_is_refused(gateway, sandbox, asked):
    serve("key-1", "*")
    answer = lend(gateway.url).call(model=asked)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert not sandbox.log()
    assert not Charge.objects.exists()


def test_many_calls_for_many_models_at_once_stay_within_tokens_and_usd(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    supply_key("key-2", provider="p2", model="small", rates=CHEAP, tokens=3_000)
    supply_key("key-3", provider="p3", model="dear", rates=DEAR)
    session = lend(gateway.url, tokens=20_000)
    asked = ["any", "gpt-4o-mini", "small", "dear"] * 15
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda model: session.call(model=model, max_tokens=200), asked))
    assert {answer.status for answer in answers} <= {200, 400, 402, 429, 503}
    assert sum(answer.status == 200 for answer in answers) > 10
    lent = Allocation.objects.get()
    assert lent.held == 0
    assert lent.used <= lent.allocated
    assert lent.used_cost <= lent.allocated_cost
    assert not lent.overrun
    for made in Charge.objects.filter(status="settled"):
        assert made.cost <= made.held_cost
        dearest = made.held_tokens * made.price.token_cost_max
        assert abs(made.held_cost - dearest) < Decimal("0.000001")
        assert made.price.model == made.model
    assert Window.objects.get(scope="key:key-2", unit="tokens").used <= 3_000
    assert_books_balance()
