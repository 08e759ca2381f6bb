"""Who may come."""

from base64 import b64encode
from datetime import timedelta

import pytest
from django.utils import timezone

from keys import services as keys
from keys.books.queries.slots import slot_token
from keys.models import Agent, AgentToken
from tests.actors import ACTOR
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.keys.builders import add_key, allocate

pytestmark = pytest.mark.django_db


def test_without_a_token_the_answer_is_401_and_says_how(people):
    response = Caller(None).get("/me")
    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="butler"'


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer nonsense",
        "Bearer bt_abcdefgh_" + "x" * 43,
        "Bearer bs_ses-1_" + "x" * 43,
        "Bearer bs_",
        "Bearer caf\xe9",
        "Basic YWRhOmFkYQ==",
        "Token x",
    ],
)
def test_what_is_no_valid_token_is_401(people, client, header):
    response = client.get("/api/v1/me", headers={"Authorization": header})
    assert_problem(response, 401, "invalid_token")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "bs_" + token[3:],
        lambda token: token[:-1],
        lambda token: token[:20],
        lambda token: token + "A",
        lambda token: token + "A" * 30_000,
        lambda token: token.upper(),
        lambda token: token[:12] + "\0" + token[12:],
        lambda token: "Bearer " + token,
        lambda token: f"{token}, {token}",
    ],
    ids=range(9),
)
def test_a_token_that_is_not_the_whole_token_is_401(people, change):
    token = token_of("ada")
    assert_problem(Caller(change(token)).get("/me"), 401, "invalid_token")


def test_a_token_in_another_place_opens_nothing(people, client):
    token = token_of("ada")
    for headers in ({"x-api-key": token}, {"api-key": token}, {"Cookie": f"Authorization={token}"}):
        assert client.get("/api/v1/me", headers=headers).status_code == 401
    for name in ("token", "access_token", "api_key", "Authorization"):
        assert client.get("/api/v1/me", {name: token}).status_code == 401
    basic = b64encode(f"ada:{token}".encode()).decode()
    assert client.get("/api/v1/me", headers={"Authorization": f"Basic {basic}"}).status_code == 401


def test_a_slots_token_opens_nothing_of_the_api(people):
    add_key("nvidia-1")
    allocation, now = allocate(), timezone.now()
    keys.add_slots(1, runner="openclaw", actor=ACTOR, now=now)
    slot = keys.take_slot(runner="openclaw", allocation_id=allocation.pk, now=now)
    for path in ("/me", "/charges", f"/allocations/{allocation.session_id}"):
        assert_problem(Caller(slot_token(slot.pk)).get(path), 401, "invalid_token")


def test_a_token_that_differs_in_its_last_character_is_401(people):
    token = token_of("ada")
    assert Caller(token).get("/me").status_code == 200
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert_problem(Caller(wrong).get("/me"), 401, "invalid_token")


def test_an_expired_a_revoked_and_a_disabled_agents_token_are_401(people):
    now = timezone.now()
    ada, bob = Agent.objects.get(pk="ada"), Agent.objects.get(pk="bob")
    _, expired = keys.issue_token(ada, days=1, actor=ACTOR, now=now - timedelta(days=2))
    row, revoked = keys.issue_token(ada, actor=ACTOR, now=now - timedelta(days=1))
    keys.revoke_token(row, actor=ACTOR, now=now)
    off = token_of("bob")
    keys.disable_agent(bob, actor=ACTOR, reason="test", now=now)
    for token in (expired, revoked, off):
        assert_problem(Caller(token).get("/me"), 401, "invalid_token")


def test_the_session_of_a_disabled_agent_is_401(people):
    add_key("nvidia-1")
    session = allocate().session_id
    keys.disable_agent(Agent.objects.get(pk="ada"), actor=ACTOR, reason="test", now=timezone.now())
    response = session_caller(session).get(f"/allocations/{session}")
    assert_problem(response, 401, "invalid_token")


def test_the_last_use_is_noted_at_most_once_a_minute(people):
    caller = Caller(token_of("ada"))
    caller.get("/me")
    first = AgentToken.objects.get(agent="ada").last_used_at
    assert first
    caller.get("/me")
    assert AgentToken.objects.get(agent="ada").last_used_at == first
    AgentToken.objects.update(last_used_at=first - timedelta(seconds=61))
    caller.get("/me")
    assert AgentToken.objects.get(agent="ada").last_used_at > first


@pytest.mark.parametrize(
    "path", ["/me", "/status", "/keys", "/allocations", "/alerts", "/history", "/usage"]
)
def test_a_session_token_reaches_only_its_session(people, path):
    add_key("nvidia-1")
    response = session_caller(allocate().session_id).get(path)
    assert_problem(response, 403, "session_token_not_enough")
    lending = session_caller(allocate().session_id).post("/allocations", tokens=5)
    assert_problem(lending, 403, "session_token_not_enough")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/keys/nvidia-1/refusal", {"status": 401}),
        ("/alerts/1/acknowledgement", {}),
        ("/alerts/1/resolution", {}),
        ("/alerts/1/snooze", {"until": "2030-01-01T00:00:00Z"}),
    ],
)
def test_operating_needs_its_scope(ada, path, fields):
    assert_problem(ada.post(path, **fields), 403, "scope_missing")


def test_a_cookie_of_the_admin_opens_nothing_and_no_csrf_is_asked(admin_client, ada):
    assert admin_client.get("/api/v1/me").status_code == 401
    add_key("nvidia-1")
    ada.client.handler.enforce_csrf_checks = True
    assert ada.post("/allocations", tokens=5).status_code == 201
