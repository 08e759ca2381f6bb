"""A call follows what the model catalogue says of its model, from the next call on."""

import json
from contextlib import closing

import pytest
from django.utils import timezone

from gateway import dialects
from keys import services as keys
from keys.models import Charge
from keys.supply.model_facts import facts_by_name
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.routes import parsed
from tests.gateway.server import answer_of, lend, running_gateway, supply
from tests.gateway.strict_provider import strict_provider

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = [
    ("openai", "gpt-4.1"),
    ("mistral", "mistral-large-latest"),
    ("groq", "meta-llama/llama-4-scout-17b-16e-instruct"),
    ("x-ai", "grok-4-0709"),
    ("openrouter", "openai/gpt-5-mini"),
]
every_model = pytest.mark.parametrize(("provider", "model"), MODELS, ids=lambda each: each)
TEXT = "a fact of the catalogue " * 50


@pytest.fixture(scope="module")
def providers():
    """A provider that refuses nothing."""
    with strict_provider(lambda request: None) as running:
        yield running


@pytest.fixture
def call(providers):
    """Make a call for a model; returns what the provider got, and the charge."""
    providers.requests.clear()
    with running_gateway() as gateway:
        session = None

        def make(provider, model, content=TEXT, **fields):
            nonlocal session
            if session is None:
                supply("key-1", provider=provider, model=model, base_url=providers.base_url)
                session = lend(gateway.url)
            messages = [{"role": "user", "content": content}]
            body = json.dumps({"model": model, "messages": messages, **fields}).encode()
            with closing(session.open(body)) as way:
                answer = answer_of(way)
            if answer.status != 200:
                return answer
            return providers.requests[-1], Charge.objects.latest("pk")

        yield make
    assert_books_balance()


def change(provider, model, **changes):
    """Correct a line of the catalogue."""
    by = {"actor": ACTOR, "reason": "measured", "now": timezone.now()}
    keys.change_model(provider, model, changes=changes, **by)


@every_model
def test_the_tokenizer_decides_what_a_text_holds(call, provider, model):
    held = {}
    call(provider, model, max_tokens=10)
    for tokenizer in ("o200k_base", ""):
        change(provider, model, tokenizer=tokenizer, short_template=True)
        held[tokenizer] = call(provider, model, max_tokens=10)[1].held_tokens
    assert 250 < held["o200k_base"] < 320
    assert held[""] > len(TEXT)


@every_model
def test_a_template_of_the_provider_is_held_as_well(call, provider, model):
    call(provider, model, max_tokens=10)
    change(provider, model, short_template=True)
    short = call(provider, model, max_tokens=10)[1].held_tokens
    change(provider, model, short_template=False)
    assert call(provider, model, max_tokens=10)[1].held_tokens == short + 320 - 16


@every_model
def test_the_maximum_goes_into_the_field_of_the_catalogue(call, provider, model):
    call(provider, model)
    for name in ("max_completion_tokens", "max_tokens"):
        change(provider, model, output_field=name)
        sent, _ = call(provider, model)
        assert {"max_tokens", "max_completion_tokens"} & sent.keys() == {name}
    sent, _ = call(provider, model, max_completion_tokens=7)
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (7, False)


@every_model
def test_the_rules_of_images_decide_what_an_image_holds(call, provider, model):
    image = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    call(provider, model, max_tokens=10)
    held = []
    for rules in (
        {"flat": {"tokens": 1000}},
        {"tiles": {"base": 85, "tile": 170}},
        {"patches": {"per_patch": 2, "patches_max": 100}},
        {"flat": {"tokens": 1000}, "tiles": {"base": 85, "tile": 170}},
        {},
    ):
        change(provider, model, image_rules=rules)
        held.append(call(provider, model, image, max_tokens=10)[1].held_tokens)
    first = held[0] - 1000
    assert [each - first for each in held] == [1000, 1445, 201, 1445, 16_384]


@every_model
def test_an_image_is_sent_only_to_a_model_that_may_take_it(call, providers, provider, model):
    call(provider, model)
    image = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    change(provider, model, inputs=["text", "audio"])
    refused = call(provider, model, image)
    assert (refused.status, refused.code) == (400, "input_not_taken")
    assert refused.json["butler"] == {"code": "input_not_taken", "medium": "image", "model": model}
    assert len(providers.requests) == Charge.objects.exclude(status="released").count() == 1
    change(provider, model, inputs=["text", "image"])
    assert call(provider, model, image)[1].status == "settled"


@every_model
def test_a_refused_parameter_is_not_added_but_the_clients_is_sent(call, provider, model):
    call(provider, model)
    for refused in (["stream_options"], []):
        change(provider, model, refused_parameters=refused)
        sent, _ = call(provider, model, stream=True)
        assert ("stream_options" in sent) is not bool(refused)
    change(provider, model, refused_parameters=["stream_options"])
    own = {"include_usage": True, "x": 1}
    assert call(provider, model, stream=True, stream_options=own)[0]["stream_options"] == own


@every_model
def test_a_model_that_always_searches_is_refused_before_it_is_called(
    call, providers, provider, model
):
    call(provider, model)
    change(provider, model, always_searches=True)
    before = len(providers.requests)
    answer = call(provider, model)
    assert answer.status >= 400
    assert b"searches with every call" in answer.body
    assert len(providers.requests) == before
    change(provider, model, always_searches=False)
    assert call(provider, model)[1].tokens == 25


UNSEEN = 1024
STREAMS = {
    "chat": (dialects.CHAT, b'{"choices":[{"index":0,"delta":{"content":"one two three"}}]}'),
    "completions": (dialects.COMPLETIONS, b'{"choices":[{"index":0,"text":"one two three"}]}'),
    "responses": (
        dialects.RESPONSES,
        b'{"type":"response.output_text.delta","delta":"one two three"}',
    ),
    "messages": (
        dialects.MESSAGES,
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"one two three"}}',
    ),
}


@pytest.mark.parametrize(("dialect", "event"), STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("provider", [*(provider for provider, _ in MODELS)])
def test_a_broken_answer_of_a_model_that_reasons_unseen_has_some_reasoning(
    dialect, event, provider
):
    facts = facts_by_name(dict(MODELS)[provider])
    seen, unseen = (facts._replace(reasons_unseen=each) for each in (False, True))
    meter = dialect.meter(parsed(dialect, stream=True))
    meter.feed(b"data: " + event + b"\n\n")
    written = meter.evidence(model=seen).output_tokens
    assert 0 < written < 10
    assert meter.evidence(model=unseen).output_tokens == written + UNSEEN
    assert dialect.meter(parsed(dialect, stream=True)).evidence(model=unseen) is None


def test_an_answer_without_usage_has_it_too_unless_nothing_was_written():
    seen, unseen = (facts_by_name("o3")._replace(reasons_unseen=each) for each in (False, True))
    answer = b'{"choices":[{"message":{"role":"assistant","content":"one two three"}}]}'
    assert dialects.CHAT.count_output(answer, model=seen) == 3
    assert dialects.CHAT.count_output(answer, model=unseen) == 3 + UNSEEN
    assert dialects.CHAT.count_output(b'{"choices":[]}', model=unseen) == 0


def test_output_that_the_provider_reported_has_its_reasoning_in_it():
    unseen = facts_by_name("claude-opus-4-7")._replace(reasons_unseen=True)
    meter = dialects.MESSAGES.meter(parsed(dialects.MESSAGES, stream=True))
    usage = b'{"input_tokens":20,"output_tokens":7}'
    meter.feed(b'data: {"type":"message_delta","delta":{},"usage":' + usage + b"}\n\n")
    assert meter.evidence(model=unseen).output_tokens == 7
