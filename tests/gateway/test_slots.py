"""A slot's token: its calls are paid by the allocation that is assigned to it at that moment."""

import json
import re
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from keys import services as keys
from keys.books.queries.slots import slot_token
from keys.models import Agent, ApiKey, Charge, Slot
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import MODEL, PATHS, WAITS_SECONDS, answer_of, gateway_on, lend, supply
from tests.keys.builders import complete

pytestmark = pytest.mark.django_db(transaction=True)
SLOT = "slot01"


@pytest.fixture
def url(sandbox, settings):
    """The gateway's, with a key and a slot."""
    supply("key-1")
    keys.add_slots(1, runner="openclaw", actor=ACTOR, now=timezone.now())
    with gateway_on(sandbox, settings) as running:
        yield running.url


def call(url, said="hello", *, token=None, wire_format="openai"):
    """Ask with the slot's token."""
    asked = {"model": f"{SLOT}/any", "max_tokens": 40}
    body = json.dumps({**asked, "messages": [{"role": "user", "content": said}]})
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=WAITS_SECONDS)) as way:
        headers = {"authorization": f"Bearer {token or slot_token(SLOT)}"}
        way.request("POST", PATHS[wire_format], body, headers)
        return answer_of(way)


def sit(session):
    """Seat the session's allocation."""
    pk = session.allocation.pk
    assert keys.take_slot(runner="openclaw", allocation_id=pk, now=timezone.now()).pk == SLOT
    return session


def leave(session):
    """Free its slot."""
    pk = session.allocation.pk
    assert keys.free_slot(slug=SLOT, allocation_id=pk, now=timezone.now())


def assert_refused_in_plain_words(answer):
    """OpenClaw does not take it for a matter of the credential: it would leave the slot alone."""
    assert (answer.status, answer.code) == (400, "slot_refused")
    assert not re.search(rb"quota|billing|budget|token|limit|credit|exhausted", answer.body)


def test_a_call_is_paid_by_who_sits_there_and_gets_the_model_of_its_key(url, sandbox):
    first, second = lend(url), lend(url)
    sit(first)
    assert call(url).status == 200
    leave(first)
    sit(second)
    assert call(url).status == call(url).status == 200
    payers = list(Charge.objects.order_by("pk").values_list("allocation_id", flat=True))
    assert payers == [first.allocation.pk, second.allocation.pk, second.allocation.pk]
    assert {row["model"] for row in sandbox.log()} == {MODEL}
    assert_books_balance()


@pytest.mark.parametrize("wire_format", list(PATHS))
def test_nobody_pays_in_an_empty_slot(url, sandbox, wire_format):
    session = sit(lend(url))
    assert call(url).status == 200
    leave(session)
    answer = call(url, wire_format=wire_format)
    assert (answer.status, answer.code) == (400, "slot_refused")
    assert answer.headers["x-should-retry"] == "false"
    assert Charge.objects.count() == len(sandbox.log()) == 1


def test_a_slot_that_does_not_exist_or_a_token_that_was_made_up_pays_nothing(url):
    assert call(url, token=slot_token("slot99")).status == 400
    answer = call(url, token=slot_token(SLOT)[:-1] + "?")
    assert (answer.status, answer.code) == (401, "invalid_token")


def test_a_closed_allocation_is_answered_400_and_the_slot_knows_why(url, sandbox):
    session = sit(lend(url))
    complete(session.allocation, now=timezone.now())
    assert_refused_in_plain_words(call(url))
    assert Slot.objects.get().refusal_code == "allocation_closed"
    assert sandbox.log() == []


def test_a_used_up_budget_is_answered_400_and_the_next_one_is_not_hurt(url, sandbox):
    session = sit(lend(url, tokens=10))
    assert_refused_in_plain_words(call(url))
    slot = Slot.objects.get()
    assert slot.refusal_code == "allocation_exhausted"
    assert "10 tokens are left" in slot.refusal
    leave(session)
    sit(lend(url))
    assert call(url).status == 200
    assert Slot.objects.get().refusal_code == ""
    assert len(sandbox.log()) == 1
    assert_books_balance()


def test_an_agent_that_was_switched_off_does_not_shut_the_slot_out(url):
    sit(lend(url))
    ada = Agent.objects.get(pk="ada")
    keys.disable_agent(ada, actor=ACTOR, reason="test", now=timezone.now())
    assert_refused_in_plain_words(call(url))
    assert Slot.objects.get().refusal_code == "agent_disabled"


def test_what_may_be_asked_again_is_answered_as_ever(url, sandbox):
    ApiKey.objects.update(requests_per_minute=1)
    sit(lend(url))
    assert call(url).status == 200
    answer = call(url)
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert Slot.objects.get().refusal_code == "rate_limited"


def test_a_sessions_own_token_is_answered_as_before(url):
    answer = lend(url, tokens=10).call()
    assert (answer.status, answer.code) == (400, "allocation_exhausted")
    assert Slot.objects.get().refusal_code == ""
