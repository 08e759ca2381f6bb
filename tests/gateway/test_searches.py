"""Web searches by the provider: bounded and held before the call, paid by what it reports.

Five providers: OpenAI, Anthropic, Perplexity, OpenRouter and Azure; the answers are in the form of
their documentation.
"""

import json
from contextlib import closing
from decimal import Decimal

import pytest

from keys.models import Allocation, CatalogueModel, Charge
from keys.supply.pricing import Rates
from tests.books import assert_books_balance
from tests.gateway.fake_provider import running_fake_provider
from tests.gateway.server import answer_of, gateway_on, lend, supply

pytestmark = pytest.mark.django_db(transaction=True)
CLAUDE_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SEARCHED = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway."""
    with gateway_on(sandbox, settings) as running:
        yield running


@pytest.fixture
def provider():
    """Answers what a test says."""
    with running_fake_provider() as running:
        yield running


def lent(gateway, provider, slug, model, *, tokens=5_000_000, wire_format="openai"):
    """A session on a key of this provider, at the bundled price of the model."""
    supply("key-1", provider=slug, model=model, rates=None, base_url=provider.base_url)
    return lend(gateway.url, tokens=tokens, wire_format=wire_format)


def asked(session, path, text="What is new?", **fields):
    """Ask on a route; the answer."""
    name = "input" if path.endswith("responses") else "messages"
    said = [{"role": "user", "content": text}]
    body = json.dumps({"model": "any", name: said, **fields}).encode()
    with closing(session.open(body, path=path)) as way:
        return answer_of(way)


def response(searches, **usage):
    """A response of OpenAI with so many searches, and a page that was opened."""
    opened = SEARCHED | {"action": {"type": "open_page", "url": "https://example.com"}}
    text = {"type": "message", "content": [{"type": "output_text", "text": "ok"}]}
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110} | usage
    return {"id": "r", "output": [*[SEARCHED] * searches, opened, text], "usage": usage}


def message(searches):
    """A message of Anthropic with so many searches."""
    usage = {"input_tokens": 100, "output_tokens": 10}
    if searches:
        usage["server_tool_use"] = {"web_search_requests": searches}
    return {"id": "m", "content": [{"type": "text", "text": "ok"}], "usage": usage}


def events(*values):
    """A stream of these events, each named by its type."""
    return "".join(f"event: {v['type']}\ndata: {json.dumps(v)}\n\n" for v in values)


def response_events(searches):
    """The same response as a stream."""
    whole = response(searches)
    items = [{"type": "response.output_item.done", "item": item} for item in whole["output"]]
    return events(*items, {"type": "response.completed", "response": whole})


def message_events(searches):
    """The same message as a stream."""
    whole = message(searches)
    return events(
        {"type": "message_start", "message": whole | {"content": []}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": whole["usage"]},
        {"type": "message_stop"},
    )


ANSWERS = {
    ("/v1/responses", False): response,
    ("/v1/responses", True): response_events,
    ("/v1/messages", False): message,
    ("/v1/messages", True): message_events,
}
STREAM = {"content-type": "text/event-stream"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("slug", "model", "path", "tool", "searches", "cost"),
    [
        # 100 × 0.40 + 10 × 1.60, and 2 searches at 10 for 1,000.
        ("openai", "gpt-4.1-mini", "/v1/responses", {"type": "web_search"}, 2, "0.020056"),
        # 100 × 1.25 + 10 × 10, and 1.
        ("openai", "gpt-5", "/v1/responses", {"type": "web_search_2025_08_26"}, 1, "0.010225"),
        # The older tool of a model that does not reason: 25 for 1,000.
        ("openai", "gpt-4.1", "/v1/responses", {"type": "web_search_preview"}, 1, "0.02528"),
        # 100 × 1.25 + 10 × 10 of a model that reasons: 10 for 1,000.
        ("azure", "gpt-5", "/v1/responses", {"type": "web_search_preview"}, 2, "0.020225"),
        # 100 × 3 + 10 × 15, and 3.
        ("anthropic", "claude-sonnet-4-5", "/v1/messages", CLAUDE_SEARCH, 3, "0.03045"),
        ("anthropic", "claude-sonnet-4-5", "/v1/messages", CLAUDE_SEARCH, 0, "0.00045"),
    ],
)
def test_searches_are_held_and_paid_as_reported(
    gateway, provider, slug, model, path, tool, searches, cost, stream
):
    wire_format = "anthropic" if path == "/v1/messages" else "openai"
    session = lent(gateway, provider, slug, model, wire_format=wire_format)
    answer = ANSWERS[path, stream](searches)
    provider.refuse(200, answer, headers=STREAM if stream else {})
    said = asked(session, path, tools=[tool], stream=stream, **_maximum(path))
    assert said.status == 200
    charge = Charge.objects.get()
    assert (charge.status, charge.web_searches, charge.overrun) == ("settled", searches, False)
    assert (charge.cost, charge.basis) == (Decimal(cost), "provider")
    assert charge.held_cost >= 5 * Decimal("0.01") + charge.cost - searches * Decimal("0.01")
    sent = json.loads(provider.received[-1].body)
    assert (sent.get("max_tool_calls") or sent["tools"][0].get("max_uses")) == 5
    assert_books_balance()


def _maximum(path):
    return {"max_output_tokens" if path == "/v1/responses" else "max_tokens": 40}


@pytest.mark.parametrize(
    ("slug", "model", "fields", "usage", "cost"),
    [
        # 100 × 1 + 10 × 1 and the request at 5; 100 × 2.50 + 10 × 10 and the request at 25.
        ("perplexity", "sonar", {}, {"search_context_size": "low"}, "0.00511"),
        ("openai", "gpt-4o-search-preview", {"web_search_options": {}}, {}, "0.02535"),
    ],
)
def test_a_model_that_always_searches_pays_for_the_request(
    gateway, provider, slug, model, fields, usage, cost
):
    session = lent(gateway, provider, slug, model)
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, **usage}
    message = {"role": "assistant", "content": "ok"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    provider.refuse(200, {"id": "c", "choices": [choice], "usage": usage})
    assert asked(session, "/v1/chat/completions", max_tokens=40, **fields).status == 200
    charge = Charge.objects.get()
    assert charge.cost == Decimal(cost)
    assert charge.search_kind == usage.get("search_context_size", "")
    assert charge.held_cost > charge.cost - Decimal("0.001")
    assert_books_balance()


def test_the_clients_own_maximum_is_kept_and_several_tools_add_up(gateway, provider):
    session = lent(gateway, provider, "anthropic", "claude-sonnet-4-5", wire_format="anthropic")
    provider.refuse(200, message(0))
    tools = [CLAUDE_SEARCH | {"max_uses": 2}, CLAUDE_SEARCH | {"name": "again"}]
    assert asked(session, "/v1/messages", tools=tools, max_tokens=40).status == 200
    sent = json.loads(provider.received[-1].body)
    assert [tool["max_uses"] for tool in sent["tools"]] == [2, 5]
    context = CatalogueModel.objects.get(name="claude-sonnet-4-5").context_tokens
    charge = Charge.objects.get()
    assert charge.held_tokens == context + 40
    assert charge.held_cost > Decimal("0.07")


def test_more_searches_than_were_held_are_paid_and_end_the_session(gateway, provider):
    session = lent(gateway, provider, "openai", "gpt-4.1-mini")
    provider.refuse(200, response(900))
    fields = {"tools": [{"type": "web_search"}], "max_tool_calls": 1, "max_output_tokens": 40}
    assert asked(session, "/v1/responses", **fields).status == 200
    charge = Charge.objects.get()
    assert (charge.web_searches, charge.overrun) == (900, True)
    assert charge.cost == Decimal("9.000056") > charge.held_cost
    assert Allocation.objects.get().status == "exhausted"
    assert_books_balance()


def test_a_search_that_breaks_off_is_paid_for_what_was_seen(gateway, provider):
    session = lent(gateway, provider, "openai", "gpt-4.1-mini")
    stream = response_events(2).rpartition("event:")[0]
    provider.refuse(200, stream, headers=STREAM)
    asked(session, "/v1/responses", tools=[{"type": "web_search"}], stream=True)
    charge = Charge.objects.get()
    assert (charge.basis, charge.web_searches) == ("estimated", 2)
    assert charge.cost > Decimal("0.02")
    assert_books_balance()


def test_a_budget_that_is_too_small_for_the_results_is_told_what_to_change(gateway, provider):
    session = lent(gateway, provider, "openai", "gpt-4.1-mini", tokens=30_000)
    said = asked(session, "/v1/responses", tools=[{"type": "web_search"}], max_output_tokens=40)
    assert (said.status, said.code) == (400, "allocation_exhausted")
    sentence = said.json["error"]["message"]
    assert "Of that, 40,000 are for the results of web searches" in sentence
    assert "`max_tool_calls`" in sentence
    assert not provider.calls()
    provider.refuse(200, response(1))
    fields = {"tools": [{"type": "web_search"}], "max_tool_calls": 2, "max_output_tokens": 40}
    assert asked(session, "/v1/responses", **fields).status == 200
    assert_books_balance()


def test_a_budget_whose_dollars_do_not_pay_for_the_searches_is_refused(gateway, provider):
    # 60 searches hold 0.60 USD and the tokens of their results; together more than is lent.
    session = lent(gateway, provider, "openai", "gpt-4.1-mini", tokens=500_000)
    fields = {"tools": [{"type": "web_search"}], "max_tool_calls": 60, "max_output_tokens": 40}
    said = asked(session, "/v1/responses", **fields)
    assert (said.status, said.code) == (400, "allocation_exhausted")
    assert not provider.calls()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "tool"), [("/v1/responses", {"type": "web_search"}), ("/v1/messages", CLAUDE_SEARCH)]
)
def test_the_sandbox_plays_searches(gateway, sandbox, path, tool, stream):
    rates = Rates(input=Decimal("0.0004"), output=Decimal("0.0016"), web_search=Decimal(10))
    supply("key-1", model="gpt-4.1-mini", rates=rates)
    session = lend(gateway.url)
    text = "[[sandbox searches=9 output=20]] What is new?"
    fields = {"tools": [tool], "stream": stream, **_maximum(path)}
    assert asked(session, path, text=text, **fields).status == 200
    charge, [billed] = Charge.objects.get(), sandbox.log()
    assert charge.web_searches == billed["searches"] == 5
    tokens = charge.input_tokens * rates.input + charge.output_tokens * rates.output
    assert charge.cost == Decimal("0.05") + tokens / 1000
    assert not charge.overrun
    assert_books_balance()


def test_without_a_known_context_a_search_is_refused(gateway, provider):
    session = lent(gateway, provider, "anthropic", "claude-sonnet-4-5", wire_format="anthropic")
    CatalogueModel.objects.update(context_tokens=None)
    said = asked(session, "/v1/messages", tools=[CLAUDE_SEARCH], max_tokens=40)
    assert (said.status, said.code) == (400, "cannot_be_bounded")
    assert "no context of the model claude-sonnet-4-5" in said.json["error"]["message"]
    assert not provider.calls()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tools": [CLAUDE_SEARCH | {"max_uses": 0}]}, "max_uses"),
        ({"tools": [CLAUDE_SEARCH | {"max_uses": "5"}]}, "max_uses"),
        ({"tools": [CLAUDE_SEARCH | {"max_uses": True}]}, "max_uses"),
        ({"tools": [CLAUDE_SEARCH | {"max_uses": 10**6}]}, "max_uses"),
    ],
)
def test_a_maximum_of_searches_that_is_none_is_refused(gateway, provider, fields, sentence):
    session = lent(gateway, provider, "anthropic", "claude-sonnet-4-5", wire_format="anthropic")
    said = asked(session, "/v1/messages", max_tokens=40, **fields)
    assert (said.status, said.code) == (400, "invalid_request")
    assert sentence in said.json["error"]["message"]
    assert not provider.calls()
