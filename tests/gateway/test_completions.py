"""Completions of a text, as editors ask for them: bounded, metered, counted."""

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from gateway import dialects
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.models import Charge
from keys.supply.model_facts import facts_by_name
from tests.books import assert_books_balance
from tests.gateway.routes import parsed, sent
from tests.gateway.server import (
    WAITS_SECONDS,
    answer_of,
    gateway_on,
    lend,
    running_gateway,
    supply,
)
from tests.gateway.strict_provider import strict_provider

pytestmark = pytest.mark.django_db(transaction=True)
COMPLETIONS = dialects.COMPLETIONS
PROMPTS = {
    "text": {"prompt": "def add(a, b):"},
    "suffix": {"prompt": "def add(a, b):\n    ", "suffix": "\n\nprint(add(1, 2))"},
    "texts": {"prompt": ["one", "two three", "four"]},
    "token ids": {"prompt": [1, 2, 3, 4]},
    "lists of token ids": {"prompt": [[1, 2], [3, 4, 5]]},
    "choices": {"prompt": ["one", "two"], "n": 3},
    "echo": {"prompt": "say it again", "echo": True},
    "logprobs": {"prompt": "hello", "logprobs": 3},
    "no best_of": {"prompt": "hello", "best_of": None},
    "marks of codestral": {"prompt": "<fim_prefix>a<fim_suffix>b<fim_middle>", "min_tokens": 0},
}


@pytest.fixture
def session(sandbox, settings):
    """A session of the gateway."""
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield lend(running.url)


def complete(session, *, path="/v1/completions", **fields):
    """The answer to a completion."""
    headers = {"authorization": f"Bearer {session.token}"}
    with closing(HTTPConnection(urlsplit(session.url).netloc, timeout=WAITS_SECONDS)) as way:
        body = {"model": "any", "max_tokens": 40, **fields}
        way.request("POST", path, json.dumps(body), headers)
        return answer_of(way)


@pytest.mark.parametrize("fields", PROMPTS.values(), ids=list(PROMPTS))
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/completions", "/openai/deployments/x/completions"])
def test_a_completion_is_metered_by_the_report_of_the_provider(
    session, sandbox, fields, stream, path
):
    answer = complete(session, path=path, stream=stream, **fields)
    assert answer.status == 200, answer.body
    (call,) = sandbox.log()
    charge = Charge.objects.get()
    assert (charge.status, charge.basis, charge.route) == ("settled", "provider", "/v1/completions")
    assert (charge.input_tokens, charge.output_tokens) == (call["input"], call["output"])
    assert charge.held_tokens >= charge.tokens
    assert b'"text_completion"' in answer.body
    assert (b'"usage":{' in answer.body) is not stream
    assert_books_balance()


@pytest.mark.parametrize("fields", [PROMPTS["text"], PROMPTS["choices"], PROMPTS["suffix"]])
@pytest.mark.parametrize("stream", [True, False])
def test_a_completion_without_usage_is_counted(session, fields, stream):
    prompt = fields["prompt"]
    said = " [[sandbox output=30 usage=none]]"
    prompt = [each + said for each in prompt] if isinstance(prompt, list) else prompt + said
    answer = complete(session, stream=stream, **{**fields, "prompt": prompt})
    assert answer.status == 200
    charge = Charge.objects.get()
    answers = fields.get("n", 1) * (len(prompt) if isinstance(prompt, list) else 1)
    assert charge.basis == "estimated"
    assert 29 * answers <= charge.output_tokens <= 40 * answers
    assert_books_balance()


def test_the_usage_of_a_stream_is_passed_on_if_the_client_requests_it(session):
    answer = complete(session, prompt="hi", stream=True, stream_options={"include_usage": True})
    assert b'"usage":{"prompt_tokens"' in answer.body.replace(b" ", b"")


@pytest.mark.parametrize(
    ("fields", "choices", "most"),
    [
        ({"prompt": "a"}, 1, 16),
        ({"prompt": ["a", "b"]}, 2, 16),
        ({"prompt": ["a", "b"], "n": 4}, 8, 16),
        ({"prompt": [1, 2]}, 1, 16),
        ({"prompt": [[1], [2], [3]]}, 3, 16),
        ({}, 1, 16),
        ({"prompt": None, "max_tokens": 7}, 1, 7),
        ({"prompt": [], "max_tokens": None}, 1, 16),
        ({"prompt": "a", "max_tokens": 0}, 1, 0),
    ],
)
def test_each_prompt_has_answers_of_its_own(fields, choices, most):
    asked = parsed(COMPLETIONS, **fields)
    assert (asked.choices, asked.output_tokens_max) == (choices, most)


@pytest.mark.parametrize(
    ("fields", "least"),
    [
        ({"prompt": "word " * 1000}, 1000),
        ({"prompt": ["word " * 500, "word " * 500]}, 1000),
        ({"prompt": list(range(1000))}, 1000),
        ({"prompt": [list(range(500)), list(range(500))]}, 1000),
        ({"prompt": "a", "suffix": "word " * 1000}, 1000),
        ({"prompt": ["a", "b"], "suffix": "word " * 500}, 1000),
        ({"prompt": "a", "documents": ["word " * 1000]}, 1000),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o", "codestral-latest"])
def test_the_input_is_bounded(fields, least, model):
    bound = COMPLETIONS.input_bound(
        parsed(COMPLETIONS, passed=("documents",), **fields), model=facts_by_name(model)
    )
    assert least <= bound < 6 * least


@pytest.mark.parametrize(
    "prompt", [{"text": "a"}, ["a", {"b": 1}], [["a"]], [1, "a"], [[1], [[2]]], True, 1.5]
)
def test_a_prompt_that_cannot_be_counted_is_refused(prompt):
    with pytest.raises((CannotBeBounded, InvalidRequest)):
        COMPLETIONS.input_bound(parsed(COMPLETIONS, prompt=prompt), model=facts_by_name("m"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("best_of", 2), ("best_of", 20), ("Max_Tokens", 9), ("n", 129), ("max_tokens", -1)],
)
def test_what_cannot_be_metered_is_refused(session, sandbox, field, value):
    answer = complete(session, prompt="hi", **{field: value})
    assert (answer.status, answer.json["error"]["param"]) == (400, field)
    assert not sandbox.log()


def test_more_prompts_than_answers_can_be_held_are_refused():
    with pytest.raises(InvalidRequest):
        parsed(COMPLETIONS, prompt=["a"] * 129)


@pytest.mark.parametrize("model", ["codestral-latest", "gpt-5", "deepseek-chat"])
def test_the_provider_gets_the_request_as_it_came(model):
    fields = {"prompt": "a", "suffix": "b", "echo": True, "logprobs": 2, "stop": ["\n"]}
    body = sent(COMPLETIONS, model=model, output_tokens_max=9, **fields)
    assert body == {"model": model, **fields, "max_tokens": 9}


def test_a_provider_without_stream_options_is_learned_here_too():
    def refuse(request):
        known = "stream_options" not in request
        return None if known else (422, {"detail": "Extra inputs are not permitted"})

    with strict_provider(refuse) as provider, running_gateway() as running:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(running.url)
        assert complete(session, prompt="hi", stream=True).status == 200
    assert provider.paths == ["/v1/completions"] * 2
    charge = Charge.objects.get()
    assert (charge.basis, charge.tokens) == ("provider", 25)
    assert_books_balance()
