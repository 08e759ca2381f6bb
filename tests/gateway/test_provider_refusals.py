"""What a provider refuses: whose fault it is, what follows for keys, and what the client reads.

Prompts that are sent again and again are in test_poisoned_prompts.py. The cases G02, G04, G05, G25
and G47 are public reports of other gateways; the others are variations
of them in the words of other providers.
"""

import json
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from alerts.models import Alert
from gateway import jobs
from keys import services as keys
from keys.models import ApiKey, Charge, Rotation
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.pool import BLOCKED, HTML, POISON, POOL, gateway, kinds, provider, statuses
from tests.gateway.server import answer_of, gateway_on, lend, supply, supply_key
from tests.queue import drain_queue

__all__ = ["gateway", "provider"]
pytestmark = pytest.mark.django_db(transaction=True)
# Refusals that are about the request or the route by their own words: status, headers, body.
ABOUT_REQUEST = {
    "G02, Anthropic: extra usage": (
        429,
        {"x-should-retry": "false"},
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "Extra usage"},
        },
    ),
    "G04, Cloudflare: a page": (403, HTML, BLOCKED),
    "G05, OpenAI: a scope": (
        401,
        {},
        {"error": {"message": "Missing scopes: api.responses.write.", "code": None}},
    ),
    "G47, OpenRouter: too dear": (
        402,
        {},
        {"error": {"message": "You requested up to 16384 tokens, but can only afford 3919"}},
    ),
    "OpenAI: embeddings with a chat model": (
        403,
        {},
        {"error": {"message": "You are not allowed to generate embeddings from this model"}},
    ),
    "OpenAI: larger than the limit": (
        429,
        {},
        {"error": {"message": "Request too large for gpt-4o: Limit 30000, Requested 36278."}},
    ),
    "OpenRouter: moderation": (
        403,
        {},
        {"error": {"message": "openai/gpt-4o requires moderation. Your input was flagged"}},
    ),
    "xAI: guidelines": (403, {}, {"code": "denied", "error": "Content violates usage guidelines."}),
    "Groq: larger than the minute": (
        413,
        {},
        {"error": {"message": "Request too large: Limit 6000, Requested 9000", "type": "tokens"}},
    ),
    "Google: a region": (400, {}, [{"error": {"message": "User location is not supported"}}]),
    "Azure: no deployment": (404, {}, {"error": {"code": "DeploymentNotFound", "message": "no"}}),
    "new-api: too dear for what remains": (
        403,
        {},
        {"error": {"message": "token remain quota: ＄0.250000, need quota: ＄5.500000"}},
    ),
    "Vertex AI: no permission for the model": (
        403,
        {},
        [{"error": {"message": "Permission 'x.predict' denied on resource '//y' (or it may not)"}}],
    ),
    "Together: a tier": (403, {}, {"error": {"message": "Access to this model needs tier 2."}}),
}
# Refusals that may be the key's: status, body, and what becomes of the key if it was.
ABOUT_KEY = {
    "OpenAI: incorrect": (401, {"error": {"message": "no", "code": "invalid_api_key"}}, "broken"),
    "Anthropic: invalid": (401, {"error": {"message": "invalid x-api-key"}}, "broken"),
    "Google: leaked": (403, {"error": {"message": "Your API key was leaked."}}, "broken"),
    "DeepSeek: balance": (402, {"error": {"message": "Insufficient Balance"}}, "cooling"),
    "OpenAI: quota": (429, {"error": {"message": "no", "code": "insufficient_quota"}}, "cooling"),
    "Anthropic: credit": (
        400,
        {"error": {"message": "Your credit balance is too low to access the API."}},
        "cooling",
    ),
    "MiniMax: balance": (500, {"error": {"message": "insufficient balance (1008)"}}, "cooling"),
    "Fireworks: bills": (
        412,
        {"error": {"message": "Suspended, possibly due to reaching the monthly spending limit"}},
        "cooling",
    ),
    "LiteLLM: budget": (400, {"error": {"message": "no", "type": "budget_exceeded"}}, "cooling"),
    "new-api: invalid": (401, {"error": {"message": "无效的令牌"}}, "broken"),
    "Groq: rate": (429, {"error": {"message": "Rate limit. Try again in 7s"}}, "cooling"),
    "Mistral: unauthorized": (401, {"message": "Unauthorized"}, "suspended"),
    "NVIDIA: forbidden": (403, {"detail": "Authorization failed"}, "suspended"),
    "nobody: nothing": (403, "", "suspended"),
}


each_no_to_a_key = pytest.mark.parametrize("case", list(ABOUT_KEY))


def only(gateway_pool: int) -> None:
    """Switch off all keys but the first so many."""
    for slug in POOL[gateway_pool:]:
        keys.set_key_status(slug, status="inactive", reason="test", actor=ACTOR, now=timezone.now())


def call_route(session, path: str, **body):
    """Call another route than chat."""
    way = HTTPConnection(urlsplit(session.url).netloc, timeout=30)
    headers = {"authorization": f"Bearer {session.token}", "content-type": "application/json"}
    way.request("POST", path, json.dumps({"model": "any", **body}), headers)
    return answer_of(way)


@pytest.mark.parametrize("case", list(ABOUT_REQUEST))
def test_a_no_to_a_request_is_passed_on_as_it_is_and_the_keys_stay(gateway, provider, case):
    status, headers, body = ABOUT_REQUEST[case]
    provider.refuse(status, body, when=POISON, headers=headers)
    session = lend(gateway.url)
    answer = session.call(POISON)
    raw = body if isinstance(body, str) else json.dumps(body)
    assert (answer.status, answer.body.decode()) == (status, raw)
    assert answer.headers.get("x-should-retry") == headers.get("x-should-retry")
    assert float(answer.headers["x-butler-cost"]) == 0
    assert Charge.objects.get().status == "released"
    assert session.call("hello").status == 200
    assert set(statuses().values()) == {"active"}
    assert set(provider.calls()) == {"key-1"}
    assert not Rotation.objects.exists()
    if status in (401, 402, 403, 429):
        alert = Alert.objects.get()
        assert (alert.kind, alert.agent_id) == ("request_refused", "ada")
    assert_books_balance()


@each_no_to_a_key
def test_a_no_to_one_key_is_the_keys_when_another_answers_the_same_request(gateway, provider, case):
    status, body, becomes = ABOUT_KEY[case]
    session = lend(gateway.url)
    first = session.allocation.api_key_id
    provider.refuse(status, body, keys=(first,))
    answer = session.call()
    assert (answer.status, answer.headers["x-butler-key-id"] != first) == (200, True)
    after = statuses()
    assert after.pop(first) == becomes
    assert set(after.values()) == {"active"}
    key = ApiKey.objects.get(pk=first)
    assert key.status_reason.startswith(f"The provider answered {status}")
    alert = Alert.objects.get()
    assert (alert.agent_id, alert.session_id) == ("ada", session.allocation.session_id)
    assert key.status_reason in alert.detail
    assert_books_balance()


@each_no_to_a_key
def test_the_same_no_of_two_keys_is_the_requests_and_all_keys_stay(gateway, provider, case):
    """O29."""
    status, body, _ = ABOUT_KEY[case]
    provider.refuse(status, body, when=POISON)
    session = lend(gateway.url)
    answer = session.call(POISON)
    raw = body if isinstance(body, str) else json.dumps(body)
    assert (answer.status, answer.body.decode()) == (status, raw)
    assert set(statuses().values()) == {"active"}
    assert kinds() == ["request_refused"]
    assert {charge.status for charge in Charge.objects.all()} == {"released"}
    drain_queue()
    assert set(statuses().values()) == {"active"}
    assert session.call("hello").status == 200
    assert_books_balance()


@each_no_to_a_key
def test_a_no_to_the_only_key_is_told_in_the_providers_words(gateway, provider, case):
    status, body, becomes = ABOUT_KEY[case]
    only(1)
    provider.refuse(status, body)
    answer = lend(gateway.url).call()
    code = "rate_limited" if case == "Groq: rate" else "key_unusable"
    assert answer.code == code
    sentence = answer.json["error"]["message"]
    assert f"The provider answered {status}" in sentence
    for word in ("invalid x-api-key", "Insufficient Balance", "Unauthorized", "Try again in 7s"):
        assert (word in json.dumps(body)) == (word in sentence)
    assert statuses()["key-1"] == becomes
    assert_books_balance()


def test_keys_that_are_all_invalid_are_found_by_a_probe(gateway, provider):
    only(2)
    provider.refuse(401, {"error": {"message": "Incorrect API key provided"}})
    assert lend(gateway.url).call().status == 401
    assert statuses()["key-1"] == statuses()["key-2"] == "active"
    drain_queue()
    assert sorted(statuses().values()) == ["active", "broken", "inactive", "inactive"]
    assert_books_balance()


def test_two_accounts_without_credit_do_not_keep_a_session_from_a_third(gateway, provider):
    provider.refuse(402, {"error": {"message": "Insufficient Balance"}}, keys=("key-1", "key-2"))
    answer = lend(gateway.url).call()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-3")
    assert [statuses()[slug] for slug in POOL] == ["cooling", "active", "active", "active"]
    assert_books_balance()


def test_of_two_keys_that_are_refused_differently_one_is_blamed(gateway, provider):
    provider.refuse(429, {"error": {"message": "slow down"}}, keys=("key-1",))
    provider.refuse(403, "", keys=("key-2",))
    answer = lend(gateway.url).call()
    assert (answer.status, answer.headers["x-butler-key-id"]) == (200, "key-3")
    assert [statuses()[slug] for slug in POOL] == ["cooling", "active", "active", "active"]
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (529, {"type": "overloaded_error", "message": "Overloaded"}),
        (429, {"type": "engine_overloaded_error", "message": "The engine is overloaded"}),
        # Of the provider behind a router.
        (429, {"code": 429, "message": "Provider returned error"}),
    ],
)
def test_an_overload_is_passed_on_and_no_other_key_is_asked(gateway, provider, status, error):
    provider.refuse(status, {"error": error})
    assert lend(gateway.url).call().status == status
    assert len(provider.calls()) == 1
    assert set(statuses().values()) == {"active"}
    assert not Alert.objects.exists()


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_counting_tokens_never_changes_the_status_of_a_key(sandbox, settings, provider, status):
    supply("key-1", "key-2", base_url=provider.base_url, provider="anthropic")
    body = {"error": {"message": "invalid x-api-key", "code": "invalid_api_key"}}
    provider.refuse(status, body, when="count_tokens")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url, wire_format="anthropic")
        messages = [{"role": "user", "content": "hi"}]
        answer = call_route(session, "/v1/messages/count_tokens", messages=messages)
    assert (answer.status, answer.json) == (status, body)
    assert set(statuses().values()) == {"active"}
    assert not Alert.objects.exists()


def test_a_route_that_the_key_may_not_use_leaves_its_other_routes_alone(gateway, provider):
    no = {"error": {"message": "You have insufficient permissions. Missing scopes: api.responses"}}
    provider.refuse(401, no, when="/responses")
    session = lend(gateway.url)
    assert call_route(session, "/v1/responses", input="hi").status == 401
    assert session.call().status == 200
    assert set(statuses().values()) == {"active"}


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after-ms": "2500"}, "", 2.5),
        ({"retry-after": "2.5"}, "", 2.5),
        ({"x-ratelimit-reset-requests": "1m30s"}, "", 90),
        ({}, [{"error": {"code": 429, "details": [{"retryDelay": "7s"}]}}], 7),
        ({}, {"error": {"message": "Please try again in 1m2.5s."}}, 62.5),
        ({}, {"error": {"type": "usage_limit_reached", "resets_in_seconds": 300}}, 300),
        ({"x-ratelimit-reset-tokens-minute": "11.5"}, "", 11.5),
        ({"ratelimit": '"default";r=0;t=50'}, "", 50),
        ({}, "", 60),
    ],
)
def test_a_key_cools_as_long_as_the_provider_says(gateway, provider, headers, body, seconds):
    session = lend(gateway.url)
    provider.refuse(429, body, keys=("key-1",), headers=headers)
    before = timezone.now()
    assert session.call().status == 200
    until = ApiKey.objects.get(pk="key-1").cooling_until
    wait = timedelta(seconds=seconds)
    assert before + wait <= until <= timezone.now() + wait


def doubt(provider, gateway) -> None:
    """Make the provider doubt the first key, and nothing else."""
    provider.refuse(403, "", keys=("key-1",), when="/chat/completions")
    assert lend(gateway.url).call().status == 200
    assert statuses()["key-1"] == "suspended"


def test_a_probe_brings_a_key_in_doubt_back_and_resolves_the_alert(gateway, provider):
    doubt(provider, gateway)
    assert kinds() == ["key_suspended"]
    assert jobs.probe_keys() == 1
    assert statuses()["key-1"] == "active"
    assert kinds() == []
    assert [r.path for r in provider.received if r.key == "key-1"][-1] == "/v1/models"


def test_a_probe_is_queued_with_the_doubt(gateway, provider):
    doubt(provider, gateway)
    drain_queue()
    assert statuses()["key-1"] == "active"


def test_a_probe_that_names_the_key_breaks_it(gateway, provider):
    doubt(provider, gateway)
    provider.refuse(401, {"error": {"code": "invalid_api_key", "message": "no"}}, when="/models")
    jobs.probe_keys()
    assert statuses()["key-1"] == "broken"
    assert kinds() == ["key_broken"]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_probe_without_a_verdict_prolongs_the_doubt(gateway, provider, status):
    doubt(provider, gateway)
    provider.refuse(status, "", when="/models")
    jobs.probe_keys()
    key = ApiKey.objects.get(pk="key-1")
    assert (key.status, key.suspended_times) == ("suspended", 2)
    assert timedelta(seconds=110) < key.cooling_until - timezone.now() <= timedelta(seconds=120)
    # It is asked again a minute before it may be lent.
    assert jobs.probe_keys() == 0
    provider.relent()
    jobs.probe_key("key-1")
    assert statuses()["key-1"] == "active"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_provider_without_a_list_of_models_is_asked_by_the_next_call(gateway, provider, status):
    doubt(provider, gateway)
    provider.refuse(status, "", when="/models")
    jobs.probe_keys()
    key = ApiKey.objects.get(pk="key-1")
    assert (key.status, key.suspended_times) == ("suspended", 1)
    keys.revive_keys(now=key.cooling_until)
    assert statuses()["key-1"] == "active"


def test_a_probe_of_a_provider_that_is_gone_prolongs_the_doubt(gateway, provider):
    doubt(provider, gateway)
    gone = "http://127.0.0.1:1/v1"
    ApiKey.objects.filter(pk="key-1").update(base_url=gone, secret_url=gone)
    jobs.probe_keys()
    key = ApiKey.objects.get(pk="key-1")
    assert (key.status, key.suspended_times) == ("suspended", 2)
    assert "did not reach" in key.status_reason


def test_the_only_key_comes_back_by_itself_after_a_doubt(gateway, provider):
    only(1)
    provider.refuse(403, "", when=POISON)
    session = lend(gateway.url)
    assert session.call(POISON).code == "key_unusable"
    # Until the probe has run, the others are asked to wait.
    answer = session.call("hello")
    assert (answer.code, int(answer.headers["retry-after"]) <= 60) == ("rate_limited", True)
    drain_queue()
    assert session.call("hello").status == 200
    assert_books_balance()


def test_a_key_added_later_serves_what_was_refused(gateway, provider):
    only(1)
    provider.refuse(401, {"error": {"code": "invalid_api_key"}}, keys=("key-1",))
    session = lend(gateway.url)
    assert session.call().code == "key_unusable"
    supply_key("key-9", base_url=provider.base_url)
    assert session.call().status == 200
