"""A fallback serves a call when no API key can take it, or from a share of the budget on."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import timezone

from gateway import sessions
from keys import services as keys
from keys.models import Agent, ApiKey, Charge
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.media import base64_of, png
from tests.gateway.server import gateway_on, lend, supply, supply_key
from tests.gateway.test_models import CHEAP, DEAR, charge, embed, serve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(process, settings, monkeypatch):
    """The gateway, which notices changes at once, and a key whose default is gpt-4.1."""
    monkeypatch.setattr(sessions, "_NOTICED_SECONDS", 0)
    supply("key-1", provider="openai", model="gpt-4.1", rates=None, priority=9)
    with gateway_on(process, settings) as running:
        yield running


def fallback(model, *fallbacks, percent=None):
    """Let models serve instead of another one."""
    return keys.set_model_fallback(
        model, budget_percent=percent, fallbacks=fallbacks, actor=ACTOR, now=timezone.now()
    )


def supply_small(slug, provider, model, **terms):
    """A key that serves a cheap model, and has no room to take a session over."""
    return supply_key(slug, provider=provider, model=model, rates=CHEAP, tokens=20_000, **terms)


def switch_off(slug):
    """Disable a key."""
    keys.set_key_status(slug, status="inactive", reason="test", actor=ACTOR, now=timezone.now())


def served(answer):
    """The status, the key, the model, and what is told of a fallback."""
    headers = answer.headers
    names = ("x-butler-key-id", "x-butler-model", "x-butler-fallback")
    return answer.status, *(headers.get(name) for name in names)


OTHERS = [
    ("groq", "llama-x"),
    ("nvidia", "meta/llama-3.3-70b"),
    ("mistral", "mistral-small"),
    ("deepseek", "deepseek-chat"),
    ("openrouter", "qwen/qwen3-8b"),
]


@pytest.mark.parametrize(("provider", "model"), OTHERS)
@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 60}, {"status": 401}])
def test_when_the_provider_refuses_the_only_key_a_fallback_answers_the_same_call(
    gateway, sandbox, provider, model, fault
):
    supply_small("key-2", provider, model)
    fallback("gpt-4*", model)
    sandbox.fault(key="key-1", times=-1, **fault)
    session = lend(gateway.url)
    # The second call finds the key out without asking its provider.
    for _ in range(2):
        told = served(session.call(model="gpt-4.1"))
        assert told == (200, "key-2", model, "gpt-4.1; no_key")
    made = charge()
    assert (made.model, made.asked_model, made.api_key_id) == (model, "gpt-4.1", "key-2")
    assert made.price_id == ApiKey.objects.get(pk="key-2").price_id
    assert made.held_cost < made.held_tokens * session.allocation.token_cost_max
    assert [call["key"] for call in sandbox.log()] == ["key-1", "key-2", "key-2"]
    assert_books_balance()


@pytest.mark.parametrize("asked", ["any", "", None, "gpt-4.1-2025-04-14", "GPT-4.1"])
def test_the_fallback_is_of_the_model_that_would_serve(gateway, asked):
    supply_small("key-2", "groq", "llama-x")
    fallback("gpt-4.1", "llama-x")
    session = lend(gateway.url)
    switch_off("key-1")
    replaced = asked if asked == "gpt-4.1-2025-04-14" else "gpt-4.1"
    told = served(session.call(model=asked))
    assert told == (200, "key-2", "llama-x", f"{replaced}; no_key")


def test_without_a_fallback_that_can_serve_the_first_refusal_is_told(gateway, sandbox):
    supply_small("key-2", "groq", "llama-x", requests_per_minute=1)
    session = lend(gateway.url)
    switch_off("key-1")
    assert served(session.call())[0] == 503
    fallback("gpt-4.1", "llama-x")
    assert served(session.call())[:2] == (200, "key-2")
    # Now the fallback's key has no place left in this minute.
    answer = session.call()
    assert (answer.status, answer.code) == (503, "key_unusable")
    assert answer.headers["x-butler-key-id"] == "key-1"
    assert len(sandbox.log()) == 1
    assert_books_balance()


def test_a_rate_per_minute_of_the_key_is_no_end_and_the_next_fallback_follows_the_first(gateway):
    supply_key("key-1b", model="llama-y", provider="groq", rates=CHEAP, tokens=20)
    supply_small("key-2", "groq", "llama-x")
    ApiKey.objects.filter(pk="key-1").update(requests_per_minute=1)
    # The first has no room for the call, the second serves it.
    fallback("gpt-4.1", "llama-y", "llama-x")
    session = lend(gateway.url)
    assert served(session.call())[1:] == ("key-1", "gpt-4.1", None)
    assert served(session.call())[1:] == ("key-2", "llama-x", "gpt-4.1; no_key")
    assert_books_balance()


def test_the_same_model_on_another_key_comes_before_the_fallbacks(gateway):
    supply_small("key-2", "groq", "llama-x")
    supply_key("key-3", provider="openai", model="gpt-4.1", rates=None, tokens=20_000)
    fallback("gpt-4.1", "llama-x")
    session = lend(gateway.url)
    switch_off("key-1")
    assert served(session.call(model="gpt-4.1")) == (200, "key-3", "gpt-4.1", None)
    assert charge().asked_model == ""


@pytest.mark.parametrize("status", [429, 401, 402])
def test_a_guest_that_its_provider_refuses_has_fallbacks_too(gateway, sandbox, status):
    supply_small("key-2", "groq", "llama-x")
    fallback("llama-*", "gpt-4.1")
    sandbox.fault(key="key-2", status=status, code="invalid_api_key")
    session = lend(gateway.url)
    told = served(session.call(model="llama-x"))
    assert told == (200, "key-1", "gpt-4.1", "llama-x; no_key")
    assert [made.status for made in Charge.objects.order_by("pk")] == ["released", "settled"]
    assert_books_balance()


def test_keys_that_are_all_refused_by_name_are_out_but_the_same_doubt_is_the_requests(
    gateway, sandbox
):
    supply_key("key-2", provider="openai", model="gpt-4.1", rates=None)
    supply_small("key-3", "groq", "llama-x")
    fallback("gpt-4.1", "llama-x")
    for slug in ("key-1", "key-2"):
        sandbox.fault(key=slug, status=401, code="invalid_api_key")
    assert served(lend(gateway.url).call(model="gpt-4.1"))[1:3] == ("key-3", "llama-x")
    for slug in ("key-1", "key-2"):
        sandbox.fault(key=slug, status=403)
    assert served(lend(gateway.url).call(model="gpt-4.1"))[::3] == (403, None)
    assert_books_balance()


@pytest.mark.parametrize(
    ("terms", "room", "status"),
    [
        ({}, 20_000, 200),
        ({"model_mismatch": "refuse"}, 20_000, 503),
        ({"model": "gpt-4.1"}, 20_000, 503),
        ({"models": ("gpt-4.1", "llama-x")}, 200_000, 200),
        ({"models": ("gpt-4.1", "llama-x"), "model_mismatch": "refuse"}, 200_000, 503),
    ],
)
def test_a_session_falls_back_only_to_models_that_it_accepts(gateway, sandbox, terms, room, status):
    supply_key("key-2", provider="groq", model="llama-x", rates=CHEAP, tokens=room)
    fallback("gpt-4.1", "llama-x")
    session = lend(gateway.url, **terms)
    switch_off("key-1")
    assert session.call(model="gpt-4.1").status == status
    assert len(sandbox.log()) == (status == 200)


def test_a_fallback_is_never_dearer_than_what_was_lent_for_and_is_allowed(gateway, sandbox):
    supply_key("key-2", provider="groq", model="llama-dear", rates=DEAR, tokens=20_000)
    supply_small("key-3", "nvidia", "llama-x")
    fallback("gpt-4.1", "llama-dear", "llama-x")
    session = lend(gateway.url)
    switch_off("key-1")
    assert served(session.call())[1:3] == ("key-3", "llama-x")
    keys.set_allow_list(
        Agent(pk="ada"), models=["gpt-*", "llama-dear"], providers=[], reason="x", actor=ACTOR,
        now=timezone.now(),
    )  # fmt: skip
    assert session.call().code == "key_unusable"
    assert len(sandbox.log()) == 1


def test_a_fallback_must_be_able_to_answer_on_the_route(gateway):
    supply_small("key-2", "groq", "llama-x")
    supply_key("key-3", provider="openai", model="text-embedding-3-small", rates=None, tokens=9_000)
    fallback("gpt-4.1", "text-embedding-3-small", "llama-x")
    fallback("text-embedding-*", "gpt-4.1")
    session = lend(gateway.url)
    switch_off("key-3")
    assert embed(session, "text-embedding-3-small").code == "model_not_served"
    switch_off("key-1")
    assert served(session.call())[2] == "llama-x"


@pytest.mark.parametrize("asked", ["llama-9", "meta/llama-9", "claude-opus-9", "fast", "gpt-9"])
def test_a_model_without_a_usable_key_falls_back_before_the_default_answers(gateway, asked):
    serve("key-1", "gpt-4o-mini")
    session = lend(gateway.url)
    assert served(session.call(model=asked))[2:] == ("gpt-4.1", None)
    fallback(f"{asked[:-1]}*", "gpt-4o-mini")
    assert served(session.call(model=asked))[2:] == ("gpt-4o-mini", f"{asked}; no_key")


def use(session, tokens):
    """Use up some of a session's tokens."""
    held, _ = keys.hold(
        allocation_id=session.allocation.pk, tokens=tokens, idempotency_key="used",
        now=timezone.now(),
    )  # fmt: skip
    keys.settle(charge=held, usage=keys.Usage(input_tokens=tokens), now=timezone.now())


@pytest.mark.parametrize("asked", ["gpt-4.1", "any", "gpt-4.1-2025-04-14", "claude-opus", None])
def test_from_its_share_of_the_budget_on_a_cheaper_model_serves(gateway, asked):
    serve("key-1", "gpt-4o-mini", "gpt-4o")
    # As dear as gpt-4.1 or dearer is no saving.
    fallback("gpt-4.1", "gpt-4o", "gpt-4o-mini", percent=50)
    session = lend(gateway.url)
    use(session, 50_000)
    replaced = "gpt-4.1" if asked in ("any", None) else asked
    told = served(session.call(model=asked))
    assert told == (200, "key-1", "gpt-4o-mini", f"{replaced}; budget")
    made = charge()
    assert (made.model, made.asked_model) == ("gpt-4o-mini", replaced)
    assert made.price.model == "gpt-4o-mini"
    assert_books_balance()


@pytest.mark.parametrize(
    ("model", "terms", "used"),
    [
        ("gpt-4.1", {}, 49_999),
        ("gpt-4o", {}, 90_000),
        ("gpt-4.1", {"model": "gpt-4.1"}, 90_000),
        ("gpt-4.1", {"model_mismatch": "refuse"}, 90_000),
        ("gpt-4o-mini", {}, 90_000),
    ],
)
def test_below_its_share_and_where_no_fallback_may_serve_the_model_itself_does(
    gateway, model, terms, used
):
    serve("key-1", "gpt-4o-mini", "gpt-4o")
    fallback("gpt-4.1", "gpt-4o-mini", percent=50)
    fallback("gpt-4o-mini", "gpt-4.1", percent=50)
    session = lend(gateway.url, **terms)
    use(session, used)
    assert served(session.call(model=model)) == (200, "key-1", model, None)


def test_the_share_follows_the_calls_of_the_session(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    fallback("gpt-4.1", "gpt-4o-mini", percent=50)
    session = lend(gateway.url, tokens=200)
    models = []
    while (answer := session.call(model="gpt-4.1")).status == 200:
        session.allocation.refresh_from_db()
        models.append(answer.headers["x-butler-model"])
    first = models.index("gpt-4o-mini")
    assert first > 0
    assert set(models[first:]) == {"gpt-4o-mini"}
    used = [made.tokens for made in Charge.objects.order_by("pk")]
    assert sum(used[: first - 1]) < 100 <= sum(used[:first])
    assert_books_balance()


def test_the_cheaper_models_key_may_be_out_and_then_the_model_itself_serves(gateway):
    supply_small("key-2", "groq", "llama-x")
    fallback("gpt-4.1", "llama-x", percent=1)
    session = lend(gateway.url)
    use(session, 2_000)
    assert served(session.call())[1:] == ("key-2", "llama-x", "gpt-4.1; budget")
    switch_off("key-2")
    assert served(session.call())[1:] == ("key-1", "gpt-4.1", None)
    assert_books_balance()


@pytest.mark.parametrize("percent", [None, 1], ids=["no key", "budget"])
def test_a_fallback_that_does_not_take_an_image_is_passed_over(gateway, percent):
    serve("key-1", "gpt-3.5-turbo")
    supply_small("key-2", "google", "gemini-2.5-flash-lite")
    fallback("gpt-4.1", "gpt-3.5-turbo", "gemini-2.5-flash-lite", percent=percent)
    session = lend(gateway.url)
    use(session, 2_000)
    asked = "gpt-4.1" if percent else "gpt-4.1-of-nobody"
    if not percent:
        fallback(asked, "gpt-3.5-turbo", "gemini-2.5-flash-lite")
    assert served(session.call(model=asked))[2] == "gpt-3.5-turbo"
    image = {"type": "image_url", "image_url": {"url": base64_of(png(8, 8))}}
    told = served(session.call([image], model=asked))
    assert told[:3] == (200, "key-2", "gemini-2.5-flash-lite")
    assert told[3].startswith(asked)
    assert_books_balance()


def test_a_stream_says_that_a_fallback_serves_it(gateway):
    serve("key-1", "gpt-4o-mini")
    fallback("gpt-4.1", "gpt-4o-mini", percent=1)
    session = lend(gateway.url)
    use(session, 2_000)
    told = served(session.call(model="gpt-4.1", stream=True))
    assert told == (200, "key-1", "gpt-4o-mini", "gpt-4.1; budget")


def test_policies_that_change_while_calls_are_on_the_way_break_none(gateway, sandbox):
    serve("key-1", "gpt-4o-mini")
    supply_small("key-2", "groq", "llama-x", requests_per_minute=5)
    session = lend(gateway.url)
    use(session, 2_000)

    def work(n):
        if n % 4 == 0:
            fallback("gpt-4.1", "gpt-4o-mini", percent=1)
        if n % 4 == 1:
            fallback("gpt-4.1", "llama-x", percent=1)
        return session.call(f"call {n}", model="gpt-4.1")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(work, range(32)))
    assert {answer.status for answer in answers} == {200}
    made = Charge.objects.filter(route="/v1/chat/completions", status="settled")
    assert made.count() == len(answers)
    assert not made.filter(overrun=True).exists()
    assert len(sandbox.log()) == len(answers)
    assert_books_balance()
