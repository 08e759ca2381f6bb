"""A call that does not fit by its bytes is counted by its provider, on the route that is free.

Providers: Anthropic (messages), OpenAI (responses), and hosts that have no such route.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest
from django.utils import timezone

from alerts.models import Alert
from keys.models import Allocation, ApiKey, Charge
from tests.books import assert_books_balance
from tests.gateway.fake_provider import running_fake_provider
from tests.gateway.server import answer_of, gateway_on, lend, supply
from tests.keys.builders import rotate
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

COUNT, CALL = "/count_tokens ", "/v1/messages "
CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
# 6,000 bytes, of which a real provider makes about 1,500 tokens.
TEXT = "word " * 1200


@pytest.fixture
def provider():
    with running_fake_provider() as running:
        yield running


@pytest.fixture
def gateway(sandbox, settings, provider):
    """The gateway, with a key of Anthropic's and one of a host without a count route."""
    supply("key-1", base_url=provider.base_url, **CLAUDE)
    with gateway_on(sandbox, settings) as running:
        yield running
    assert_books_balance()


def message(tokens, output=3):
    """An answer of Anthropic's, and its bill."""
    usage = {"input_tokens": tokens, "output_tokens": output}
    content = [{"type": "text", "text": "ok"}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": content} | {
        "stop_reason": "end_turn",
        "usage": usage,
    }


def counts(provider, tokens=1500):
    """Let the provider count and bill a call as `tokens`."""
    provider.refuse(200, {"input_tokens": tokens}, when=COUNT)
    provider.refuse(200, message(tokens), when=CALL)


def count_calls(provider):
    """The bodies that were counted."""
    return [json.loads(r.body) for r in provider.received if r.path.endswith("count_tokens")]


def session_of(gateway, tokens=3000):
    """A session that calls Claude."""
    return lend(gateway.url, tokens=tokens, wire_format="anthropic")


def ask(session, *said, **fields):
    """Call with a conversation; the user and the model speak in turn."""
    messages = [
        {"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)
    ]
    body = {"model": "any", "max_tokens": 40, "messages": messages, **fields}
    with closing(session.open(json.dumps(body).encode())) as way:
        return answer_of(way)


def test_a_call_that_fits_by_its_bytes_is_not_counted(gateway, provider):
    counts(provider)
    assert ask(session_of(gateway, 20_000), TEXT).status == 200
    assert count_calls(provider) == []


def test_a_call_that_fits_by_the_count_of_its_provider_is_made(gateway, provider):
    counts(provider)
    answer = ask(session_of(gateway), TEXT, system="Be brief.", metadata={"user_id": "u"})
    assert answer.status == 200
    assert "x-butler-output-max" not in answer.headers
    [counted] = count_calls(provider)
    assert counted.keys() == {"model", "system", "messages"}
    assert counted["model"] == CLAUDE["model"]
    charge = Charge.objects.get()
    # The count, two in a hundred and 32 more, and the maximum of the answer.
    assert (charge.held_tokens, charge.tokens) == (1500 + 30 + 32 + 40, 1503)


def test_a_call_that_is_too_large_also_by_its_count_is_refused_with_that_number(gateway, provider):
    counts(provider, 2970)
    answer = ask(session_of(gateway), TEXT)
    assert (answer.status, answer.code) == (400, "allocation_exhausted")
    assert int(answer.headers["x-butler-tokens-needed"]) == 2970 + 60 + 32 + 16
    assert provider.calls() == ["key-1"]


def test_a_call_whose_answer_alone_does_not_fit_is_refused_without_a_count(gateway, provider):
    counts(provider)
    session = session_of(gateway, 1000)
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = ask(session, TEXT, thinking=thinking, max_tokens=2000)
    assert answer.code == "allocation_exhausted"
    assert provider.received == []


@pytest.mark.parametrize(
    ("status", "body", "asked_twice"),
    [
        (401, {"error": {"message": "invalid x-api-key"}}, False),
        (403, {"error": {"message": "not allowed"}}, False),
        (404, {"error": {"message": "Not found"}}, False),
        (405, "", False),
        (429, {"error": {"message": "rate limit"}}, False),
        (500, "", False),
        (529, {"error": {"type": "overloaded_error"}}, False),
        (302, "", False),
        (200, "<!DOCTYPE html><title>Sign in</title>", False),
        (200, {"input_tokens": 0}, False),
        (200, {"input_tokens": -5}, False),
        (200, {"input_tokens": "1500"}, False),
        (200, {"tokens": 1500}, False),
        (200, [], False),
        (400, {"error": {"message": "messages: too many"}}, True),
        (413, "", True),
    ],
)
def test_without_a_count_a_call_is_bounded_by_its_bytes(
    gateway, provider, status, body, asked_twice
):
    provider.refuse(status, body, when=COUNT)
    session = session_of(gateway)
    answer = ask(session, TEXT)
    assert (answer.status, answer.code) == (400, "allocation_exhausted")
    assert int(answer.headers["x-butler-tokens-needed"]) > 6000
    assert ask(session, TEXT).status == 400
    assert len(count_calls(provider)) == 1 + asked_twice
    assert ApiKey.objects.get().status == "active"
    assert not Alert.objects.exists()


def test_a_provider_that_does_not_answer_is_not_waited_for_again(gateway, provider, settings):
    settings.GATEWAY_COUNT_SECONDS = 1
    enough = Event()
    provider.refuse(200, {"input_tokens": 1500}, when=COUNT, hangs_until=enough)
    session = session_of(gateway)
    assert [ask(session, TEXT).status for _ in range(3)] == [400] * 3
    enough.set()
    assert len(count_calls(provider)) == 1
    assert ApiKey.objects.get().status == "active"


def test_a_provider_is_not_asked_where_that_is_switched_off(gateway, provider, settings):
    settings.GATEWAY_COUNT_SECONDS = 0
    counts(provider)
    assert ask(session_of(gateway), TEXT).status == 400
    assert provider.received == []


def test_a_count_that_is_too_low_is_an_overrun(gateway, provider):
    provider.refuse(200, {"input_tokens": 10}, when=COUNT)
    provider.refuse(200, message(5000), when=CALL)
    session = session_of(gateway)
    assert ask(session, TEXT).status == 200
    charge = Charge.objects.get()
    assert (charge.tokens, charge.overrun) == (5003, True)
    assert Allocation.objects.get(pk=session.allocation.pk).status != "active"


def test_calls_side_by_side_with_the_same_content_are_counted_once(gateway, provider):
    counts(provider)
    held_back = Event()
    for answer in provider.refusals:
        answer.hangs_until = held_back
    session = session_of(gateway, 13_000)
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(ask, session, TEXT, max_tokens=3000) for _ in range(8)]
        wait_until(lambda: count_calls(provider))
        held_back.set()
        assert [call.result().status for call in calls] == [200] * 8
    assert len(count_calls(provider)) == 1


@pytest.mark.parametrize("budget", [6_300, 7_000, 10_000])
def test_before_an_answer_is_cut_short_the_input_is_counted(gateway, provider, budget):
    counts(provider)
    answer = ask(session_of(gateway, budget), TEXT, max_tokens=4000)
    assert answer.status == 200
    assert "x-butler-output-max" not in answer.headers
    assert len(count_calls(provider)) == 1


def test_a_long_answer_that_is_cut_to_much_is_not_counted(gateway, provider):
    counts(provider)
    answer = ask(session_of(gateway, 20_000), TEXT, max_tokens=64_000)
    assert 4096 < int(answer.headers["x-butler-output-max"]) < 14_000
    assert count_calls(provider) == []


def test_a_call_that_fits_beside_another_by_its_count_does_not_wait(gateway, provider, settings):
    settings.GATEWAY_HOLD_WAIT_SECONDS = 0
    counts(provider, 500)
    enough = Event()
    provider.refuse(200, message(5), when='"slow"')
    provider.refusals.insert(0, provider.refusals.pop())
    provider.refusals[0].hangs_until = enough
    session = session_of(gateway, 8000)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(ask, session, "slow", max_tokens=2000)
        wait_until(lambda: provider.received)
        assert ask(session, TEXT).status == 200
        enough.set()
        assert slow.result().status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be brief."},
        {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
        {"stream": False, "temperature": 0.5},
        {"thinking": {"type": "disabled"}},
    ],
)
def test_a_growing_conversation_is_bounded_by_what_its_earlier_calls_were_billed(
    gateway, provider, fields
):
    counts(provider, 1500)
    session = session_of(gateway, 12_000)
    said = [TEXT]
    for turn in range(5):
        assert ask(session, *said, **fields).status == 200
        said += ["ok", f"and number {turn}?"]
    assert count_calls(provider) == []


def test_a_growing_conversation_is_counted_once_if_its_first_call_did_not_fit(gateway, provider):
    counts(provider, 1000)
    session = session_of(gateway, 6_200)
    said = [TEXT]
    for turn in range(5):
        assert ask(session, *said).status == 200
        said += ["ok", f"and number {turn}?"]
    assert len(count_calls(provider)) == 1


def test_another_conversation_is_counted_anew(gateway, provider):
    counts(provider, 900)
    session = session_of(gateway, 6_000)
    for fields in ({}, {"system": "a"}, {"tool_choice": {"type": "auto"}}):
        assert ask(session, TEXT, **fields).status == 200
    assert ask(session, f"{TEXT}!").status == 200
    assert len(count_calls(provider)) == 4


@pytest.mark.parametrize("name", ["deepseek", "moonshotai", "openrouter", "nvidia", "zai"])
def test_where_no_provider_counts_the_bills_of_earlier_turns_do(sandbox, settings, provider, name):
    """Hosts that speak Anthropic's format are not asked: what they count is an estimate."""
    supply("key-1", base_url=provider.base_url, provider=name, model="claude-like")
    counts(provider, 1500)
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, tokens=9_500)
        for n in range(4):
            provider.refuse(200, chat(1500), when="/chat/completions ")
            said = [{"role": "user", "content": TEXT}] + [{"role": "user", "content": "on"}] * n
            body = json.dumps({"model": "any", "max_tokens": 40, "messages": said}).encode()
            with closing(session.open(body)) as way:
                assert answer_of(way).status == 200
    assert count_calls(provider) == []
    assert_books_balance()


def chat(tokens):
    """A chat completion, and its bill."""
    return {
        "id": "x",
        "choices": [{"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1},
    }


# Files: only the provider knows how large they are

PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}
DOCUMENT = {"type": "document", "source": PDF}
INPUT_FILE = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": "data:application/pdf;base64,JVBERi0xLjQ=",
}
CHAT_FILE = {
    "type": "file",
    "file": {name: INPUT_FILE[name] for name in ("filename", "file_data")},
}
GPT = {"provider": "openai", "model": "gpt-4o"}
INPUT_COUNT = "/input_tokens "


@pytest.fixture
def openai_gateway(sandbox, settings, provider):
    """The gateway, with two keys of OpenAI's."""
    supply("key-1", "key-2", base_url=provider.base_url, **GPT)
    with gateway_on(sandbox, settings) as running:
        yield running
    assert_books_balance()


def response(tokens, response_id="resp_1"):
    """A response of OpenAI's, and its bill."""
    content = [{"type": "output_text", "text": "ok"}]
    usage = {"input_tokens": tokens, "output_tokens": 3, "total_tokens": tokens + 3}
    output = [{"type": "message", "role": "assistant", "content": content}]
    return {"id": response_id, "status": "completed", "output": output, "usage": usage}


def respond(session, route="/v1/responses", **fields):
    """Call another route than that of the session's format."""
    with closing(session.open(json.dumps({"model": "any", **fields}).encode(), path=route)) as way:
        return answer_of(way)


@pytest.mark.parametrize(
    "content",
    [
        [DOCUMENT],
        [DOCUMENT, {"type": "text", "text": "Sum it up."}],
        [{"type": "text", "text": "Two:"}, DOCUMENT, {**DOCUMENT, "title": "second"}],
        [{**DOCUMENT, "cache_control": {"type": "ephemeral"}, "citations": {"enabled": True}}],
        [{"type": "tool_result", "tool_use_id": "t", "content": [DOCUMENT]}],
    ],
)
def test_documents_of_claude_are_held_as_they_are_counted(gateway, provider, content):
    counts(provider, 1500)
    assert ask(session_of(gateway), content).status == 200
    [counted] = count_calls(provider)
    assert {part["type"] for part in counted["messages"][0]["content"]} == {"document"}
    assert "cache_control" not in json.dumps(counted)
    assert 1562 < Charge.objects.get().held_tokens < 3000


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("/v1/responses", {"input": [{"role": "user", "content": [INPUT_FILE]}]}),
        ("/v1/responses", {"input": [{"role": "user", "content": [INPUT_FILE, INPUT_FILE]}]}),
        (
            "/v1/responses",
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [INPUT_FILE]}]},
        ),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [CHAT_FILE]}]}),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, CHAT_FILE]}]},
        ),
    ],
)
def test_files_of_openai_are_held_as_they_are_counted(openai_gateway, provider, route, fields):
    provider.refuse(200, {"input_tokens": 700}, when=INPUT_COUNT)
    provider.refuse(200, response(700), when="/v1/responses ")
    provider.refuse(200, chat(700), when="/chat/completions ")
    session = lend(openai_gateway.url, tokens=2000)
    maximum = {"max_output_tokens" if "input" in fields else "max_tokens": 40}
    assert respond(session, route, **fields, **maximum).status == 200
    [counted] = [json.loads(r.body) for r in provider.received if "input_tokens" in r.path]
    assert counted["input"][0]["content"][0] == INPUT_FILE
    # What is around them adds little.
    assert 700 + 16 + 40 <= Charge.objects.get().held_tokens < 700 + 16 + 40 + 100


def test_a_conversation_about_a_document_counts_it_once(gateway, provider):
    counts(provider, 1500)
    session = session_of(gateway, 20_000)
    said = [[DOCUMENT]]
    for turn in range(4):
        assert ask(session, *said).status == 200
        said += ["ok", f"and page {turn}?"]
    assert len(count_calls(provider)) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 200])
def test_a_document_that_nobody_counts_is_refused(gateway, provider, status):
    provider.refuse(status, {"error": {"message": "no"}}, when=COUNT)
    answer = ask(session_of(gateway), [DOCUMENT])
    assert (answer.status, answer.code) == (400, "cannot_be_bounded")
    assert "Send its text" in answer.json["error"]["message"]
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "document", "source": {}},
        {"type": "document"},
    ],
)
def test_what_is_not_in_the_request_is_not_counted(gateway, provider, part):
    counts(provider)
    assert ask(session_of(gateway), [DOCUMENT, part]).code == "cannot_be_bounded"
    assert provider.received == []


@pytest.mark.parametrize("name", ["nvidia", "openrouter", "mistral", "groq", "deepseek"])
def test_only_a_provider_that_counts_gets_files(sandbox, settings, provider, name):
    supply("key-1", base_url=provider.base_url, provider=name, model="gpt-4o")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url)
        answer = respond(
            session, "/v1/chat/completions", messages=[{"role": "user", "content": [CHAT_FILE]}]
        )
    assert answer.code == "cannot_be_bounded"
    assert provider.received == []


# Earlier responses


def test_a_response_goes_on_from_one_of_its_own_session(openai_gateway, provider):
    provider.refuse(200, {"input_tokens": 900}, when=INPUT_COUNT)
    provider.refuse(200, response(9), when="/v1/responses ")
    session = lend(openai_gateway.url, tokens=5000)
    assert respond(session, input="hi", max_output_tokens=40).status == 200
    provider.refusals[-1].body = response(900, "resp_2")
    fields = {"input": "on", "max_output_tokens": 40, "previous_response_id": "resp_1"}
    assert respond(session, **fields).status == 200
    [counted] = [json.loads(r.body) for r in provider.received if "input_tokens" in r.path]
    assert counted == {"model": "gpt-4o", "input": "on", "previous_response_id": "resp_1"}
    assert Charge.objects.latest("pk").held_tokens == 900 + 16 + 40
    assert len(set(provider.calls())) == 1


@pytest.mark.parametrize("route", ["/v1/responses", "/v1/responses/input_tokens"])
@pytest.mark.parametrize("given", ["resp_1", "resp_2", "", 5, ["resp_1"], {"id": "resp_1"}])
def test_a_response_of_another_session_is_not_found(openai_gateway, provider, route, given):
    provider.refuse(200, {"input_tokens": 900}, when=INPUT_COUNT)
    provider.refuse(200, response(9), when="/v1/responses ")
    assert respond(lend(openai_gateway.url), input="hi", max_output_tokens=40).status == 200
    other = lend(openai_gateway.url)
    answer = respond(other, route, input="on", previous_response_id=given)
    if given == "":
        assert answer.status == 200
        return
    assert answer.status == 400
    assert answer.json["error"]["code"] == "previous_response_not_found"
    assert answer.json["error"]["param"] == "previous_response_id"
    assert len(provider.calls()) == 1


def test_a_response_stays_with_the_key_that_made_it(openai_gateway, provider):
    provider.refuse(200, {"input_tokens": 900}, when=INPUT_COUNT)
    provider.refuse(200, response(9), when="/v1/responses ")
    session = lend(openai_gateway.url)
    assert respond(session, input="hi", max_output_tokens=40).status == 200
    rotate(session.allocation, now=timezone.now())
    answer = respond(session, input="on", previous_response_id="resp_1")
    assert answer.code == "response_not_found"
    assert "API key" in answer.json["error"]["message"]
    assert Charge.objects.count() == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_response_that_nobody_counts_is_refused(openai_gateway, provider, status):
    provider.refuse(status, "", when=INPUT_COUNT)
    provider.refuse(200, response(9), when="/v1/responses ")
    session = lend(openai_gateway.url)
    assert respond(session, input="hi", max_output_tokens=40).status == 200
    answer = respond(session, input="on", previous_response_id="resp_1")
    assert answer.code == "cannot_be_bounded"
    assert answer.json["error"]["param"] == "previous_response_id"


def test_beside_an_earlier_response_the_rest_must_be_countable(openai_gateway, provider):
    provider.refuse(200, {"input_tokens": 900}, when=INPUT_COUNT)
    provider.refuse(200, response(9), when="/v1/responses ")
    session = lend(openai_gateway.url)
    assert respond(session, input="hi", max_output_tokens=40).status == 200
    reference = [{"type": "item_reference", "id": "msg_of_somebody"}]
    answer = respond(session, input=reference, previous_response_id="resp_1")
    assert answer.code == "cannot_be_bounded"


def test_input_tokens_are_counted_for_clients_and_cost_nothing(openai_gateway, provider):
    provider.refuse(200, {"object": "response.input_tokens", "input_tokens": 9}, when=INPUT_COUNT)
    session = lend(openai_gateway.url, tokens=100)
    answer = respond(session, "/v1/responses/input_tokens", input="hi")
    assert (answer.status, answer.json["input_tokens"]) == (200, 9)
    assert Charge.objects.get().tokens == 0
