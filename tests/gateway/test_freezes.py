"""Freezes reach the gateway: its running calls are ended or drained, and no other is admitted."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from keys import services as keys
from keys.models import Allocation, Charge
from tests.actors import GRACE, OLGA
from tests.books import assert_books_balance
from tests.gateway.server import answer_of, gateway_on, lend, read_all, supply, supply_key
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
every_scope = pytest.mark.parametrize(
    "scope", ["key:key-1", "provider:nvidia", "agent:ada", "centre:org", "all"]
)
both_formats = pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
STALLS = "[[sandbox output=30 stall=mid]]"


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway, with the sandbox behind its only key."""
    supply("key-1")
    with gateway_on(sandbox, settings) as running:
        yield running


def freeze(scope, mode="cut"):
    """Freeze, as an operator does."""
    row, _ = keys.freeze(scope, mode=mode, reason="leaked", actor=OLGA, now=timezone.now())
    return row


def thaw(row):
    """Thaw, as another operator does."""
    keys.thaw(row.pk, reason="settled", actor=GRACE, now=timezone.now())


def settled():
    """The only charge, once it is settled."""
    wait_until(lambda: not Charge.objects.filter(status="held").exists())
    return Charge.objects.get()


def code_of_event(body, wire_format):
    """Butler's code in the last event of a stream."""
    event = json.loads(body.strip().splitlines()[-1].removeprefix(b"data: "))
    error = event["error"]
    return error["code"] if wire_format == "openai" else error["message"]


@every_scope
def test_no_call_of_what_is_frozen_is_admitted_until_it_is_thawed(gateway, sandbox, scope):
    session = lend(gateway.url)
    row = freeze(scope)
    answer = session.call()
    assert answer.status == 403
    assert answer.code == ("key_frozen" if scope[0] in "kp" else "frozen")
    assert answer.headers["x-should-retry"] == "false"
    assert "Ask an operator" in answer.json["error"]["message"]
    assert b"olga" not in answer.body and b"leaked" not in answer.body
    assert sandbox.log() == []
    thaw(row)
    assert session.call().status == 200
    assert_books_balance()


@every_scope
@both_formats
def test_a_stream_is_cut_and_charged_by_what_came(gateway, sandbox, scope, wire_format):
    session = lend(gateway.url, wire_format=wire_format)
    way = session.open(session.body(STALLS, stream=True))
    response = way.getresponse()
    begun = response.read1()
    freeze(scope)
    body, whole = read_all(response)
    assert whole
    said = code_of_event(begun + body, wire_format)
    assert "frozen" in said
    charge = settled()
    assert (charge.status, charge.basis) == ("settled", "estimated")
    assert 0 < charge.tokens < charge.held_tokens
    wait_until(lambda: sandbox.under_way() == 0)
    assert not sandbox.log()[0]["finished"]
    assert_books_balance()


@pytest.mark.parametrize(("at", "costs_hold"), [("before_headers", True), ("mid", False)])
def test_a_whole_answer_is_cut_and_charged_for_what_came_or_else_its_hold(
    gateway, sandbox, at, costs_hold
):
    session = lend(gateway.url)
    way = session.open(session.body(f"[[sandbox output=30 stall={at}]]"))
    wait_until(lambda: sandbox.under_way() == 1)
    freeze("all")
    answer = answer_of(way)
    assert (answer.status, answer.code) == (403, "frozen")
    charge = settled()
    assert (charge.status, charge.basis) == ("settled", "estimated")
    assert 0 < charge.tokens <= charge.held_tokens
    assert (charge.tokens == charge.held_tokens) == costs_hold
    assert_books_balance()


def test_what_a_model_reasoned_unseen_before_it_was_cut_costs_the_hold(sandbox, settings):
    supply("key-1", provider="openai", model="o3")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url)
        body = session.body("[[sandbox output=30 reasoning=25 stall=mid]]", stream=True)
        response = session.open(body).getresponse()
        response.read1()
        freeze("all")
        read_all(response)
        charge = settled()
    assert charge.tokens == charge.held_tokens


def test_drained_calls_end_by_themselves_and_no_other_begins(gateway, sandbox):
    session = lend(gateway.url)
    with ThreadPoolExecutor(1) as threads:
        said = "[[sandbox output=20 slow_ms=20]]"
        answer = threads.submit(session.call, said, stream=True)
        wait_until(lambda: sandbox.under_way() == 1)
        freeze("all", mode="drain")
        assert session.call().code == "frozen"
        assert b"[DONE]" in answer.result().body
    assert settled().basis == "provider"


def test_a_drained_call_is_cut_when_the_freeze_becomes_harder(gateway, sandbox):
    session = lend(gateway.url)
    response = session.open(session.body(STALLS, stream=True)).getresponse()
    response.read1()
    freeze("all", mode="drain")
    freeze("all")
    assert b'"frozen"' in read_all(response)[0]


def test_others_go_on(gateway, sandbox):
    session = lend(gateway.url)
    response = session.open(session.body(STALLS, stream=True)).getresponse()
    response.read1()
    for scope in ("agent:bob", "centre:sales"):
        freeze(scope)
    freeze("agent:ada", mode="drain")
    assert sandbox.under_way() == 1
    freeze("agent:ada")
    read_all(response)


def test_the_next_call_of_a_session_goes_to_another_key(gateway, sandbox):
    session = lend(gateway.url)
    supply_key("key-2", provider="openai")
    freeze("key:key-1")
    answer = session.call()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-2")
    assert Allocation.objects.get().api_key_id == "key-2"
    assert_books_balance()


def test_a_lost_listener_comes_back_and_finds_what_it_missed(gateway, sandbox, monkeypatch):
    session = lend(gateway.url)
    response = session.open(session.body(STALLS, stream=True)).getresponse()
    response.read1()
    # Nobody is told: only the look finds it.
    monkeypatch.setattr("keys.books.sql.FREEZE_CHANNEL", "nobody_listens")
    _end_listeners()
    freeze("all")
    assert b'"frozen"' in read_all(response)[0]
    assert settled().status == "settled"


def _end_listeners():
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
    with connection.cursor() as cursor:
        cursor.execute(ended, ["LISTEN%"])
        assert cursor.fetchall(), "nobody listened"
