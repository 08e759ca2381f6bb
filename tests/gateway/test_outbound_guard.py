"""Secrets in what agents send: Butler's own are always refused, others as the cost centre says."""

import base64
import json
from contextlib import closing

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from gateway import known_secrets, sessions
from keys import services as keys
from keys.models import Agent, Charge, Freeze
from keys.refusals import CostCentreNotFound, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.server import PATHS, answer_of, gateway_on, lend, supply, supply_key
from tests.keys.admin_forms import CONFIRMED
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
# Of no form that a rule knows, and of one.
SECRET = "q7wZ2mPx9LrT4vBn8KcD_5"  # noqa: S105 - butler:allow generic-secret of no provider
CREDENTIAL = "AKIA" + "Z7QW3N5XR2KD4M6P"


@pytest.fixture
def gateway(process, sandbox, settings, monkeypatch):
    """The gateway, which notices changes at once, with a key and one that has a real secret."""
    monkeypatch.setattr(sessions, "_NOTICED_SECONDS", 0)
    supply("key-1")
    supply_key("key-2", provider="openai", model="gpt-4.1", rates=None)
    replace_secret(SECRET)
    with gateway_on(process, settings) as running:
        yield running


def replace_secret(secret):
    """Give the second key this secret."""
    keys.replace_secret("key-2", secret=secret, reason="x", actor=ACTOR, now=timezone.now())


def guard(centre, value):
    """Set the guard of a cost centre."""
    return keys.set_outbound_guard(centre, guard=value, actor=ACTOR, reason="x", now=timezone.now())


def call(session, body):
    """The answer to a body."""
    with closing(session.open(body)) as way:
        return answer_of(way)


def arguments(text):
    """The arguments of a tool call, which are JSON in JSON."""
    tool = {"name": "f", "arguments": json.dumps({"env": f"\n{text}"})}
    said = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": tool}]}
    return {
        "messages": [
            {"role": "user", "content": "hello"},
            said,
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ]
    }


def assert_nothing_was_sent(sandbox, answer, *secrets):
    """Nothing was held or sent, and neither the answer nor what people read has a secret."""
    assert (answer.status, answer.headers["x-should-retry"]) == (400, "false")
    assert not Charge.objects.exists()
    assert not sandbox.log()
    assert_books_balance()
    texts = answer.body.decode() + str([vars(row) for row in (*Alert.objects.all(),)])
    assert not [secret for secret in secrets if secret in texts]


@pytest.mark.parametrize(
    "fields",
    [
        {"said": f"the key is {SECRET}"},
        {"said": f"密钥{SECRET}"},
        {"said": f"first\n{SECRET}"},
        {"said": base64.b64encode(f"user:{SECRET}".encode()).decode()},
        arguments(SECRET),
        {"said": f"{'many words ' * 30_000} {SECRET} {'and more ' * 10_000}"},
    ],
    ids=["plain", "after another alphabet", "in a line", "base64", "tool", "large"],
)
def test_a_call_with_a_key_of_a_provider_is_refused_and_the_key_frozen(gateway, sandbox, fields):
    answer = lend(gateway.url).call(**fields)
    assert (answer.code, answer.json["butler"]["kinds"]) == ("own_secret_sent", ["key"])
    assert_nothing_was_sent(sandbox, answer, SECRET)
    assert Freeze.objects.get().scope == "key:key-2"
    alert = Alert.objects.get(kind="secret_leaked")
    assert (alert.severity, alert.key_id) == ("critical", "key-2")
    assert "agent ada" in alert.title


def test_the_anthropic_format_says_the_same(gateway, sandbox):
    answer = lend(gateway.url, wire_format="anthropic").call(SECRET)
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.code == "own_secret_sent"
    assert_nothing_was_sent(sandbox, answer, SECRET)


def test_a_token_of_butler_is_refused_and_freezes_nothing(gateway, sandbox):
    session = lend(gateway.url)
    _, token = keys.issue_token(Agent.objects.get(pk="bob"), actor=ACTOR, now=timezone.now())
    answer = session.call(f"{session.token} {token}")
    assert answer.json["butler"]["kinds"] == ["agent", "session"]
    assert_nothing_was_sent(sandbox, answer, session.token, token)
    assert Alert.objects.filter(kind="secret_leaked").count() == 2
    assert not Freeze.objects.exists()


def test_a_token_that_butler_did_not_make_is_no_secret(gateway):
    assert lend(gateway.url).call(f"bt_k3v9q0zd_{'a1' * 21}b bs_{'a1' * 30}").status == 200


def test_a_new_secret_is_known_when_the_matcher_is_rebuilt(gateway, monkeypatch):
    monkeypatch.setattr(known_secrets, "_REBUILT_SECONDS", 0)
    session, fresh = lend(gateway.url), SECRET[::-1]
    assert session.call(fresh).status == 200
    replace_secret(fresh)
    assert session.call(fresh).code == "own_secret_sent"


def test_a_matcher_that_cannot_be_rebuilt_leaves_the_earlier_one(gateway, monkeypatch):
    monkeypatch.setattr(known_secrets, "_REBUILT_SECONDS", 0)
    session = lend(gateway.url)
    assert session.call().status == 200
    monkeypatch.setattr(known_secrets, "OwnSecrets", lambda: 1 / 0)
    assert session.call().status == 200
    assert session.call(SECRET).code == "own_secret_sent"


# --- Other credentials ---------------------------------------------------------------------------


@pytest.mark.parametrize("guards", [{}, {"org": "refuse", "research": "off"}, {"org": "off"}])
def test_other_credentials_are_let_through_by_default(gateway, guards):
    for centre, value in guards.items():
        guard(centre, value)
    assert lend(gateway.url).call(CREDENTIAL).status == 200
    assert not Alert.objects.exists()


@pytest.mark.parametrize("guards", [{"org": "flag"}, {"org": "refuse", "research": "flag"}])
def test_flagged_credentials_are_sent_and_people_told(gateway, sandbox, guards):
    for centre, value in guards.items():
        guard(centre, value)
    session = lend(gateway.url)
    for _ in range(2):
        assert session.call(CREDENTIAL).status == 200
    wait_until(lambda: Alert.objects.filter(facts__times=2).exists())
    alert = Alert.objects.get()
    assert (alert.kind, alert.agent_id, alert.facts["refused"]) == ("credential_sent", "ada", False)
    assert CREDENTIAL not in str(vars(alert))
    assert_books_balance()


@pytest.mark.parametrize("wire_format", list(PATHS))
@pytest.mark.parametrize("length", [0, 300_000], ids=["small", "large"])
def test_refused_credentials_are_not_sent(gateway, sandbox, wire_format, length):
    guard("org", "refuse")
    session = lend(gateway.url, wire_format=wire_format)
    answer = session.call(f"{'word ' * (length // 5)}\n{CREDENTIAL}")
    assert answer.code == "credential_sent"
    assert answer.json["butler"]["rules"] == [Alert.objects.get().facts["rule"]]
    assert_nothing_was_sent(sandbox, answer, CREDENTIAL)


def test_what_only_a_name_makes_suspicious_is_let_through(gateway):
    guard("org", "refuse")
    assert lend(gateway.url).call(f'"prompt_cache_key": "{SECRET[::-1]}"').status == 200


def test_a_change_of_the_guard_is_audited(people):
    for value in ("refuse", "refuse", ""):
        assert guard("org", value).outbound_guard == value
    entries = AuditEntry.objects.filter(action="outbound_guard.set").order_by("pk")
    assert [entry.after["outbound_guard"] for entry in entries] == ["refuse", ""]


@pytest.mark.parametrize(
    ("centre", "value", "refusal"), [("org", "loud", WrongValue), ("x", "off", CostCentreNotFound)]
)
def test_a_wrong_guard_is_refused(people, centre, value, refusal):
    with pytest.raises(refusal):
        guard(centre, value)


def test_the_guard_is_set_in_the_admin_with_a_reason(people, admin_client):
    dialog = reverse("admin:keys_costcentre_set_outbound_guard", args=["org"])
    admin_client.post(dialog, CONFIRMED | {"guard": "flag"})
    assert not AuditEntry.objects.filter(action="outbound_guard.set").exists()
    admin_client.post(dialog, CONFIRMED | {"guard": "flag", "reason": "look first"})
    assert AuditEntry.objects.get(action="outbound_guard.set").reason == "look first"
    page = admin_client.get(reverse("admin:keys_costcentre_change", args=["org"])).content.decode()
    assert "Let the call go on, and raise an alert" in page
