"""What the allow-lists of an agent and its cost centres exclude serves no call of theirs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import timezone

from gateway import sessions
from keys import services as keys
from keys.models import Agent, Charge, CostCentre
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply, supply_key
from tests.gateway.test_models import charge, embed, request, serve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(process, settings, monkeypatch):
    """The gateway, which notices changes at once, and a key whose default is gpt-4.1."""
    monkeypatch.setattr(sessions, "_NOTICED_SECONDS", 0)
    supply("key-1", provider="openai", model="gpt-4.1", rates=None, priority=9)
    serve("key-1", "gpt-4o-mini", "gpt-5-mini", "gpt-4o")
    with gateway_on(process, settings) as running:
        yield running


def allow(subject, *, models=(), providers=()):
    """Set the allow-list of an agent or a cost centre."""
    keys.set_allow_list(
        subject, models=models, providers=providers, reason="x", actor=ACTOR, now=timezone.now()
    )


@pytest.mark.parametrize(
    ("models", "asked", "served"),
    [
        (["gpt-4o*"], "gpt-4o-mini", "gpt-4o-mini"),
        (["gpt-4o*"], "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        (["GPT-4O-MINI"], "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        (["gpt-4.1"], "gpt-4o-mini", "gpt-4.1"),
        (["gpt-4o", "gpt-4o-mini"], "gpt-4.1", "gpt-4o-mini"),
        (["gpt-4o", "gpt-4o-mini"], "any", "gpt-4o-mini"),
    ],
)
@pytest.mark.parametrize("subject", [Agent(pk="ada"), CostCentre(pk="org")], ids=["ada", "org"])
def test_an_open_session_uses_at_its_next_call_what_is_allowed(
    gateway, sandbox, subject, models, asked, served
):
    session = lend(gateway.url)
    assert session.call(model="gpt-4.1").headers["x-butler-model"] == "gpt-4.1"
    allow(subject, models=models)
    answer = session.call(model=asked)
    assert (answer.status, answer.headers["x-butler-model"]) == (200, served)
    assert_books_balance()


def test_a_session_that_cannot_fall_back_hears_whose_list_excludes_its_model(gateway, sandbox):
    named, strict = lend(gateway.url, model="gpt-4.1"), lend(gateway.url, model_mismatch="refuse")
    allow(CostCentre(pk="research"), models=["gpt-4o-mini"])
    for session in (named, strict):
        answer = session.call(model="gpt-4.1")
        assert (answer.status, answer.code) == (403, "not_allowed")
        assert "centre:research allows only the models gpt-4o-mini" in answer.body.decode()
    assert not sandbox.log()
    assert not Charge.objects.exists()
    assert strict.call(model="gpt-9").code == "model_not_served"


def test_each_model_is_charged_as_itself_when_a_list_is_widened_after_the_allocation(gateway):
    allow(Agent(pk="ada"), models=["gpt-4o-mini"])
    session = lend(gateway.url)
    assert session.allocation.price.model == "gpt-4o-mini"
    allow(Agent(pk="ada"))
    for model in ("gpt-4.1", "gpt-4o-mini"):
        assert session.call(model=model).headers["x-butler-model"] == model
        assert charge().price.model == model
    session.allocation.refresh_from_db()
    assert session.allocation.used_cost <= session.allocation.allocated_cost
    assert_books_balance()


def test_a_provider_that_is_no_longer_allowed_serves_no_call(gateway, sandbox):
    supply_key("key-2", provider="groq", model="llama-x")
    session = lend(gateway.url)
    allow(Agent(pk="ada"), providers=["groq", "nvidia"])
    answer = session.call(model="any")
    assert (answer.status, answer.code) == (403, "not_allowed")
    assert session.call(model="llama-x").headers["x-butler-key-id"] == "key-2"
    assert [call["model"] for call in sandbox.log()] == ["llama-x"]
    assert_books_balance()


def test_a_guest_is_only_of_an_allowed_key(gateway, sandbox):
    supply_key("key-2", provider="groq", model="text-embedding-3-small", priority=5)
    supply_key("key-3", provider="openai", model="text-embedding-3-small", rates=None)
    session = lend(gateway.url)
    assert embed(session, "text-embedding-3-small").headers["x-butler-key-id"] == "key-2"
    allow(Agent(pk="ada"), providers=["openai"])
    assert embed(session, "text-embedding-3-small").headers["x-butler-key-id"] == "key-3"
    allow(Agent(pk="ada"), models=["gpt-*"])
    assert embed(session, "text-embedding-3-small").code == "not_allowed"


def test_an_alias_means_only_what_is_allowed(gateway):
    for name, model in (("fast", "gpt-4o-mini"), ("smart", "gpt-4o")):
        keys.set_model_alias(name, model=model, actor=ACTOR, now=timezone.now())
    allow(Agent(pk="ada"), models=["gpt-4o-mini"])
    session = lend(gateway.url, model_mismatch="refuse")
    assert session.call(model="fast").headers["x-butler-model"] == "gpt-4o-mini"
    assert session.call(model="smart").code == "not_allowed"


def test_the_list_of_models_has_only_what_is_allowed(gateway):
    session = lend(gateway.url)
    allow(CostCentre(pk="org"), models=["gpt-4o*"])
    listed = request(session, "GET", "/v1/models").json["data"]
    assert [each["id"] for each in listed] == ["gpt-4o", "gpt-4o-mini"]
    assert request(session, "GET", "/v1/models/gpt-4.1").status == 404
    allow(CostCentre(pk="org"), providers=["groq"])
    version = {"anthropic-version": "2023-06-01"}
    nothing = request(session, "GET", "/v1/models", **version).json
    assert (nothing["data"], nothing["first_id"]) == ([], None)


def test_a_list_that_is_narrowed_while_calls_are_on_their_way_leaves_the_books_balanced(
    gateway, sandbox
):
    session = lend(gateway.url, tokens=500_000)
    narrow = [["gpt-4o-mini"], ["gpt-4.1"], ["gpt-4o*"], ["o3"], []]

    def change(models):
        """Another list."""
        allow(Agent(pk="ada"), models=models)

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(session.call, model="gpt-4o", max_tokens=50) for _ in range(24)]
        changes = [pool.submit(change, models) for models in narrow]
    assert all(done.result() is None for done in changes)
    answers = [call.result() for call in calls]
    assert {answer.status for answer in answers} <= {200, 403}
    settled = Charge.objects.filter(status="settled")
    assert settled.count() == sum(answer.status == 200 for answer in answers)
    assert not Charge.objects.filter(status="held").exists()
    assert_books_balance()
    allow(Agent(pk="ada"), models=["gpt-5-mini"])
    assert session.call(model="gpt-4o").headers["x-butler-model"] == "gpt-5-mini"
    assert charge().asked_model == "gpt-4o"
