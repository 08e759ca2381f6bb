"""A request's `model` may be an alias of the organisation: what it means serves and is charged."""

import pytest
from django.utils import timezone

from gateway import sessions
from keys import services as keys
from keys.models import Charge
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply, supply_key
from tests.gateway.test_models import charge, request, serve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(process, settings, monkeypatch):
    """The gateway, which notices changes at once, and a key whose default is gpt-4.1."""
    monkeypatch.setattr(sessions, "_NOTICED_SECONDS", 0)
    supply("key-1", provider="openai", model="gpt-4.1", rates=None, priority=9)
    serve("key-1", "gpt-4o-mini", "gpt-5-mini")
    with gateway_on(process, settings) as running:
        yield running


def alias(name, model, **changes):
    """Let a name mean a model."""
    return keys.set_model_alias(name, model=model, actor=ACTOR, now=timezone.now(), **changes)


@pytest.mark.parametrize(
    ("name", "asked", "served"),
    [
        ("fast", "fast", "gpt-4o-mini"),
        ("fast", "Fast", "gpt-4o-mini"),
        ("claude-*haiku*", "claude-haiku-4-5-20251001", "gpt-5-mini"),
        ("anthropic/*", "anthropic/claude-sonnet-4.5", "gpt-4o-mini"),
        ("*/llama-*", "nvidia/llama-3.3-70b", "gpt-4o-mini"),
        ("openai/gpt-oss-*", "openai/gpt-oss-20b", "gpt-5-mini"),
    ],
)
def test_an_alias_is_served_and_charged_as_what_it_means(gateway, sandbox, name, asked, served):
    alias(name, served)
    answer = lend(gateway.url).call(model=asked)
    assert (answer.status, answer.headers["x-butler-model"]) == (200, served)
    made = charge()
    assert (made.model, made.asked_model, made.price.model) == (served, asked, served)
    assert [call["model"] for call in sandbox.log()] == [served]
    assert_books_balance()


@pytest.mark.parametrize("asked", ["any", "", None])
def test_an_alias_of_any_is_the_default_of_a_session_without_a_wish(gateway, asked):
    alias("any", "gpt-4o-mini")
    assert lend(gateway.url).call(model=asked).headers["x-butler-model"] == "gpt-4o-mini"
    assert charge().asked_model == ""
    wished = lend(gateway.url, model="gpt-4.1")
    assert wished.call(model=asked).headers["x-butler-model"] == "gpt-4.1"


def test_a_model_that_is_served_is_itself_whatever_the_aliases_say(gateway):
    alias("*", "gpt-4.1")
    session = lend(gateway.url)
    assert session.call(model="gpt-4o-mini").headers["x-butler-model"] == "gpt-4o-mini"
    dated = session.call(model="gpt-4o-mini-2024-07-18")
    assert dated.headers["x-butler-model"] == "gpt-4o-mini-2024-07-18"
    assert charge().asked_model == ""


def test_an_alias_may_mean_a_model_of_another_key(gateway):
    supply_key("key-2", provider="groq", model="llama-x")
    alias("fast", "llama-x")
    answer = lend(gateway.url).call(model="fast")
    assert (answer.headers["x-butler-key-id"], charge().asked_model) == ("key-2", "fast")
    assert_books_balance()


def test_a_session_that_named_its_models_has_the_aliases_that_mean_them(gateway):
    alias("fast", "gpt-4o-mini")
    alias("smart", "gpt-4.1")
    session = lend(gateway.url, model="fast", model_mismatch="refuse")
    assert session.call(model="fast").headers["x-butler-model"] == "gpt-4o-mini"
    answer = session.call(model="smart")
    assert (answer.status, answer.json["butler"]["models"]) == (404, ["gpt-4o-mini"])
    assert Charge.objects.count() == 1


def test_the_model_behind_an_alias_is_described_under_the_alias(gateway):
    alias("fast", "gpt-4o-mini")
    session = lend(gateway.url, model="gpt-4o-mini")
    assert request(session, "GET", "/v1/models/fast").json["id"] == "fast"
    assert request(session, "GET", "/v1/models/smart").status == 404


def test_an_open_session_follows_a_changed_and_a_removed_alias(gateway):
    session = lend(gateway.url)
    for model in ("gpt-4o-mini", "gpt-5-mini"):
        row = alias("fast", model)
        assert session.call(model="fast").headers["x-butler-model"] == model
    keys.remove_model_alias(row, reason="over", actor=ACTOR, now=timezone.now())
    assert session.call(model="fast").headers["x-butler-model"] == "gpt-4.1"
    assert_books_balance()
