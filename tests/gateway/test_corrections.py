"""Requests that a provider refuses for a maximum or a field, and that are sent once more."""

import json
from contextlib import closing

import pytest

from gateway.learned import Learned, Lessons
from keys.models import ApiKey, Charge
from keys.supply.queries.upstreams import Upstream
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, lend, running_gateway, supply
from tests.gateway.strict_provider import strict_provider

HELLO = [{"role": "user", "content": "hello"}]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway():
    """The gateway."""
    with running_gateway() as running:
        yield running


def error(message, **fields):
    """The usual body of an error."""
    return {"error": {"message": message, **fields}}


def call(session, **fields):
    """A call; a field that is None is left out."""
    body = {"model": "any", "max_tokens": 40, "messages": HELLO, **fields}
    body = {name: value for name, value in body.items() if value is not None}
    with closing(session.open(json.dumps(body).encode())) as way:
        return answer_of(way)


def maximum(request):
    """The maximum of a request, whichever field has it."""
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    return next((request[name] for name in names if name in request), None)


CONTEXT_8192 = [
    "maximum context length is 8192",
    "This model's maximum context length is 8192 tokens. However, you requested 16500 tokens (116"
    " in the messages, 16384 in the completion). Please reduce the length of the messages.",
    "'max_tokens' or 'max_completion_tokens' is too large: 16384. This model's maximum context "
    "length is 8192 tokens and your request has 116 input tokens (16384 > 8192 - 116).",
    "This endpoint's maximum context length is 8192 tokens. However, you requested about 16500 "
    "tokens (116 of text input, 16384 in the output). Please reduce the length of either one.",
    "input length and `max_tokens` exceed context limit: 116 + 16384 > 8192, decrease input length "
    "or `max_tokens` and try again",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 116"
    " `inputs` tokens and 16384 `max_new_tokens`",
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested"
    " a total of 16500 tokens: 116 tokens from the input messages and 16384 for the completion.",
    "max_tokens=16384 cannot be greater than max_model_len=max_total_tokens=8192. Please request "
    "fewer output tokens.",
    "Requested generation length 16384 is not possible! The provided prompt is 116 tokens long, but"
    " the maximum supported sequence length is just 8192!",
    "AiError: The estimated number of input and maximum output tokens (16500) exceeded this model "
    "context window limit (8192).",
    "max_total_tokens (16500) must be less than or equal to max_seq_len (8192)",
]


@pytest.mark.parametrize("message", CONTEXT_8192)
@pytest.mark.parametrize("body", ["plain", "error"])
def test_a_context_that_is_too_small_for_the_default_maximum_is_learned(gateway, message, body):
    def refuse(request):
        if maximum(request) + 116 <= 8192:
            return None
        return 400, {"message": message} if body == "plain" else error(message)

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="vllm-model")
        session = lend(gateway.url)
        for _ in range(2):
            answer = call(session, max_tokens=None)
            assert answer.status == 200, answer.body
            assert answer.json["usage"]["total_tokens"] == 25
    first, second, third = map(maximum, provider.requests)
    assert (first, second > 7000) == (16_384, True)
    assert third <= second + 400
    assert {(c.status, c.tokens) for c in Charge.objects.all()} == {("settled", 25)}
    held = Charge.objects.order_by("pk").values_list("held_tokens", flat=True)
    assert held[1] < held[0]
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "message", "most"),
    [
        (
            400,
            "max_tokens is too large: 16384. This model supports at most 4096 completion tokens,"
            " whereas you provided 16384.",
            4096,
        ),
        (
            400,
            "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens`"
            " is less than the `context_window` for this model",
            8192,
        ),
        (400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
        (
            400,
            "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2000]",
            2000,
        ),
        (
            400,
            "max_tokens: 16384 > 8192, which is the maximum allowed number of output tokens for "
            "claude-3-5-haiku-20241022",
            8192,
        ),
        (
            400,
            "it has a maxOutputTokens value of 16384 but the supported range is from 1 (inclusive)"
            " to 8193 (exclusive). Update the value and try again.",
            8192,
        ),
        (422, "The maximum tokens you requested exceeds the model limit of 4096.", 4096),
        (
            400,
            "The parameter `max_tokens` specified in the request are not valid: integer above "
            "maximum value, expected a value <= 12288, but got 16384 instead.",
            12_288,
        ),
        (422, "Input validation error: `max_new_tokens` must be <= 4095. Given: 16384", 4095),
        (
            402,
            "This request requires more credits, or fewer max_tokens. You requested up to 16384 "
            "tokens, but can only afford 3919.",
            3919,
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("asked", [None, 16_384])
def test_a_maximum_that_the_provider_names_is_taken(gateway, status, message, most, stream, asked):
    def refuse(request):
        return (status, error(message, code=status)) if maximum(request) > most else None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = call(lend(gateway.url), max_tokens=asked, stream=stream)
        assert answer.status == 200, answer.body
    assert maximum(provider.requests[0]) == 16_384
    assert maximum(provider.requests[-1]) == most
    assert len(provider.requests) <= 3
    charge = Charge.objects.get()
    assert (charge.status, charge.tokens, charge.basis) == ("settled", 25, "provider")
    assert ApiKey.objects.get().status == "active"
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "message", "most", "requests"),
    [
        (400, "This model supports at most 4096 completion tokens", 4096, 3),
        (402, "You requested up to 16384 tokens, but can only afford 3919", 3919, 4),
    ],
)
@pytest.mark.parametrize(
    ("wire_format", "owner"), [("openai", "openrouter"), ("anthropic", "anthropic")]
)
def test_what_a_model_can_write_is_remembered_and_what_an_account_can_afford_is_not(
    gateway, wire_format, owner, status, message, most, requests
):
    def refuse(request):
        return (status, error(message)) if maximum(request) > most else None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model", provider=owner)
        session = lend(gateway.url, wire_format=wire_format)
        for _ in range(2):
            assert call(session, max_tokens=None).status == 200
    assert len(provider.requests) == requests


def test_a_maximum_for_whole_answers_does_not_shorten_streams(gateway):
    def refuse(request):
        if request.get("stream") or maximum(request) <= 4096:
            return None
        return 400, error("Requests with max_tokens > 4096 must have stream=true")

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(gateway.url)
        for stream in (False, True, False):
            assert call(session, max_tokens=None, stream=stream).status == 200
    assert list(map(maximum, provider.requests)) == [16_384, 4096, 16_384, 16_384, 4096]
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "maximum context length is 8192"),
        (400, "messages must not be empty"),
        (400, "max_tokens is too large: 16384. This model supports at most 16384 output tokens"),
        (422, "temperature must be at most 1"),
    ],
)
def test_a_request_that_no_smaller_maximum_helps_is_sent_a_few_times_at_most(
    gateway, status, message
):
    with strict_provider(lambda request: (status, error(message))) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = call(lend(gateway.url), max_tokens=None)
    assert (answer.status, answer.json) == (status, error(message))
    assert len(provider.requests) <= 4
    assert Charge.objects.get().status == "released"
    assert_books_balance()


def test_an_answer_shorter_than_its_thinking_is_not_tried(gateway):
    message = "max_tokens: 9000 > 4096, which is the maximum allowed number of output tokens for x"
    with strict_provider(lambda request: (400, error(message))) as provider:
        supply("key-1", base_url=provider.base_url, model="claude-x", provider="anthropic")
        session = lend(gateway.url, wire_format="anthropic")
        thinking = {"type": "enabled", "budget_tokens": 8000}
        assert call(session, max_tokens=9000, thinking=thinking).status == 400
    assert len(provider.requests) == 1


# --- Fields --------------------------------------------------------------------------------------

_DETAIL = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs"}
NO_STREAM_OPTIONS = [
    (422, {"detail": "Extra inputs are not permitted"}),
    (422, {"detail": [_DETAIL]}),
    (422, {"object": "error", "message": {"detail": [_DETAIL]}}),
    (400, error("Unrecognized request argument supplied: stream_options")),
    (400, error("Unknown parameter: 'stream_options'.", param="stream_options")),
    (400, error("property 'stream_options' is unsupported")),
    (400, error("stream_options: Extra inputs are not permitted")),
    (400, error("Additional properties are not allowed ('stream_options' was unexpected)")),
    (422, {"message": "unknown field: parameter 'stream_options' is not a valid field"}),
]


@pytest.mark.parametrize(("status", "body"), NO_STREAM_OPTIONS)
@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}])
def test_stream_options_are_left_out_where_they_are_not_taken(gateway, status, body, asked):
    def refuse(request):
        return (status, body) if "stream_options" in request else None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(gateway.url)
        answers = [call(session, stream=True, **asked) for _ in range(3)]
    named = "stream_options" in str(body)
    # A client's own field that no refusal names is the client's matter.
    assert {a.status for a in answers} == ({200} if named or not asked else {status})
    if not asked:
        assert ["stream_options" in each for each in provider.requests] == [True, *[False] * 3]
        assert {c.basis for c in Charge.objects.all()} == {"provider"}
    assert_books_balance()


@pytest.mark.parametrize(
    ("refused", "taken", "model", "message"),
    [
        (
            "max_tokens",
            "max_completion_tokens",
            "house-model",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
        ),
        (
            "max_completion_tokens",
            "max_tokens",
            "gpt-5",
            "max_completion_tokens: Extra inputs are not permitted",
        ),
        (
            "max_completion_tokens",
            "max_tokens",
            "o3",
            "Unrecognized request argument supplied: max_completion_tokens",
        ),
        ("max_tokens", "max_completion_tokens", "x", "unknown field `max_tokens`"),
        (
            "max_completion_tokens",
            "max_tokens",
            "gpt-6",
            "property 'max_completion_tokens' is unsupported",
        ),
    ],
)
@pytest.mark.parametrize("asked", ["refused", "taken", None])
def test_the_maximum_goes_into_the_field_that_the_provider_takes(
    gateway, refused, taken, model, message, asked
):
    def refuse(request):
        return (400, error(message)) if refused in request else None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model=model)
        session = lend(gateway.url)
        field = {"refused": {refused: 70}, "taken": {taken: 70}, None: {}}[asked]
        for _ in range(2):
            answer = call(session, **{"max_tokens": None, **field})
            assert answer.status == 200, answer.body
    repeated = asked != "taken"
    assert len(provider.requests) == 2 + repeated
    assert provider.requests[-1][taken] == (70 if asked else 16_384)
    assert refused not in provider.requests[-1]
    assert_books_balance()


def test_a_provider_that_takes_neither_field_is_passed_on(gateway):
    def refuse(request):
        name = next(name for name in request if name.startswith("max_"))
        return 400, error(f"Unknown parameter: '{name}'.")

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = call(lend(gateway.url))
    assert answer.status == 400
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    "field", ["temperature", "messages", "reasoning_effort", "model", "nonsense"]
)
def test_a_field_of_the_client_that_the_provider_refuses_is_the_clients_matter(gateway, field):
    body = error(f"Unknown parameter: '{field}'.")
    with strict_provider(lambda request: (400, body)) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = call(lend(gateway.url), stream=True)
    assert (answer.status, answer.json) == (400, body)
    assert len(provider.requests) == 1


def test_a_wrong_option_of_one_client_is_not_remembered(gateway):
    def refuse(request):
        wrong = "colour" in request.get("stream_options", {})
        return (400, error("Unknown parameter: 'stream_options.colour'.")) if wrong else None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(gateway.url)
        assert call(session, stream=True, stream_options={"colour": 1}).status == 200
        assert call(session, stream=True).status == 200
    assert ["stream_options" in each for each in provider.requests] == [True, False, True]


def test_all_three_corrections_can_come_after_each_other(gateway):
    def refuse(request):
        if "max_tokens" in request:
            return 400, error("Unsupported parameter: 'max_tokens' is not supported.")
        if "stream_options" in request:
            return 422, {"detail": "Extra inputs are not permitted"}
        if maximum(request) > 500:
            return 400, error("Range of max_completion_tokens should be [1, 500]")
        return None

    with strict_provider(refuse) as provider:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(gateway.url)
        assert call(session, max_tokens=None, stream=True).status == 200
        assert len(provider.requests) == 4
        assert call(session, max_tokens=None, stream=True).status == 200
        assert len(provider.requests) == 5
    assert_books_balance()


# --- What the catalogue knows --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "most"),
    [
        ("openai", "gpt-4", 8_100),
        ("openai", "gpt-3.5-turbo", 4_096),
        ("openai", "gpt-4-turbo", 4_096),
        ("anthropic", "claude-3-haiku-20240307", 4_096),
        ("openai", "gpt-4o", 16_384),
        ("openai", "gpt-5", 16_384),
        ("nvidia", "a-model-nobody-knows", 16_384),
    ],
)
def test_no_maximum_is_sent_that_the_model_cannot_take(gateway, provider, model, most):
    with strict_provider(lambda request: None) as strict:
        supply("key-1", base_url=strict.base_url, model=model, provider=provider)
        wire_format = "anthropic" if provider == "anthropic" else "openai"
        answer = call(lend(gateway.url, wire_format=wire_format), max_tokens=None)
    assert answer.status == 200
    assert most - 100 < maximum(strict.requests[0]) <= most + 92 * (model == "gpt-4")


def test_a_maximum_of_the_client_is_sent_as_it_is(gateway):
    with strict_provider(lambda request: None) as strict:
        supply("key-1", base_url=strict.base_url, model="gpt-4-turbo", provider="openai")
        assert call(lend(gateway.url), max_tokens=9_000).status == 200
    assert maximum(strict.requests[0]) == 9_000


# --- Memory --------------------------------------------------------------------------------------


def test_lessons_are_bounded_and_kept_per_key_address_and_model():
    lessons = Lessons(keys_max=3)

    def upstream(slug, base_url="http://a/v1", model="m"):
        return Upstream(slug, "1", "p", model, base_url, ("openai",), "secret")

    for slug in "abcd":
        lessons.add(upstream(slug), "m", output_tokens_max=7)
    assert lessons.of(upstream("a"), "m") == Learned()
    assert lessons.of(upstream("d"), "m").output_tokens_max == 7
    assert lessons.of(upstream("d"), "other") == Learned()
    assert lessons.of(upstream("d", base_url="http://b/v1"), "m") == Learned()
    lessons.add(upstream("d"), "m", context_tokens=9)
    assert lessons.of(upstream("d"), "m") == Learned(output_tokens_max=7, context_tokens=9)
