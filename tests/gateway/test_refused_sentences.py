"""The sentence with which a provider refuses reaches the client, the key's row on the overview and
the alert; the key's secret, which some providers repeat in it, reaches none of them.

In the words of OpenAI, Anthropic, Google, DeepSeek, Groq, Mistral, OpenRouter and Cloudflare.
"""

import json
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from common import links
from keys import services as keys
from keys.models import ApiKey
from tests.actors import ACTOR
from tests.gateway import wire
from tests.gateway.pool import HTML, POOL, gateway, provider
from tests.gateway.server import lend

__all__ = ["gateway", "provider"]
pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "secret-key-1"  # noqa: S105 - that of the first key, see `supply`
EVENTS = {"content-type": "text/event-stream"}
# Refusals of the only key: status, headers, body, and the sentence.
ABOUT_KEY = {
    "OpenAI": (
        401,
        {},
        {"error": {"message": f"Incorrect API key provided: {SECRET}."}},
        "Incorrect API key provided: [secret].",
    ),
    "Google": (
        403,
        {},
        [{"error": {"message": f"API key {SECRET} was reported as leaked.", "code": 403}}],
        "API key [secret] was reported as leaked.",
    ),
    "DeepSeek": (
        402,
        {},
        {"error": {"message": f"Insufficient Balance of {SECRET}"}},
        "Insufficient Balance of [secret]",
    ),
    "Groq": (
        429,
        {},
        {"error": {"message": f"Rate limit reached for {SECRET}"}},
        "Rate limit reached for [secret]",
    ),
    "Mistral, as text": (401, {}, f"Unauthorized: {SECRET} may not", "Unauthorized: [secret] may"),
    "OpenRouter, JSON in a sentence": (
        403,
        {},
        {"error": {"message": json.dumps({"error": {"message": f"no to {SECRET}"}})}},
        "no to [secret]",
    ),
    "OpenRouter, in a 200": (
        200,
        {},
        {"error": {"code": 429, "message": f"{SECRET} is limited"}},
        "[secret] is limited",
    ),
    "OpenAI, in the first event": (
        200,
        EVENTS,
        wire.events({"error": {"code": "rate_limit_exceeded", "message": f"no {SECRET}"}}).decode(),
        "no [secret]",
    ),
}
# Refusals of the request, which are passed on.
ABOUT_REQUEST = {
    "OpenAI": (401, {}, {"error": {"message": f"Missing scopes of {SECRET}"}}),
    "Anthropic": (
        429,
        {"x-should-retry": "false"},
        {"error": {"message": f"Extra usage {SECRET}"}},
    ),
    "OpenRouter": (402, {}, {"error": {"message": f"{SECRET}: prompt tokens limit exceeded"}}),
    "Cloudflare": (403, HTML, f"<!DOCTYPE html><title>Blocked {SECRET}</title>"),
    "Together": (403, {}, {"error": {"message": f"no access to model for {SECRET}"}}),
}


@pytest.fixture
def staff(client):
    """A client signed in as somebody who may see everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def pages(staff) -> tuple[str, str]:
    """The page of the key, and that of the only alert."""
    alert = reverse("admin:alerts_alert_change", args=[Alert.objects.get().pk])
    key = links.url("key", "key-1")
    return tuple(unescape(staff.get(page).content.decode()) for page in (key, alert))


@pytest.mark.parametrize("case", list(ABOUT_KEY))
def test_a_no_to_the_key_is_told_everywhere_without_its_secret(gateway, provider, staff, case):
    status, headers, body, sentence = ABOUT_KEY[case]
    for slug in POOL[1:]:
        keys.set_key_status(slug, status="inactive", reason="test", actor=ACTOR, now=timezone.now())
    provider.refuse(status, body, headers=headers)
    answer = lend(gateway.url).call(stream=headers == EVENTS)
    assert answer.code in ("rate_limited", "key_unusable")
    told = answer.json["error"]["message"], ApiKey.objects.get(pk="key-1").status_reason
    for text in (*told, *pages(staff)):
        assert sentence in text
        assert SECRET not in text


@pytest.mark.parametrize("case", list(ABOUT_REQUEST))
def test_a_no_to_the_request_is_told_to_the_client_and_in_the_alert(gateway, provider, staff, case):
    status, headers, body = ABOUT_REQUEST[case]
    provider.refuse(status, body, headers=headers)
    answer = lend(gateway.url).call()
    raw = body if isinstance(body, str) else json.dumps(body)
    assert (answer.status, answer.body.decode()) == (status, raw.replace(SECRET, "[secret]"))
    alert = Alert.objects.get()
    assert f"The provider answered {status}: " in alert.detail
    assert "[secret]" in alert.detail
    assert not [text for text in (alert.detail, *pages(staff)) if SECRET in text]


def test_an_error_in_the_middle_of_an_answer_is_told_without_the_secret(gateway, provider, staff):
    delta = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}
    events = wire.events(delta, {"error": {"code": 429, "message": f"{SECRET} is limited"}})
    provider.refuse(200, events.decode(), headers=EVENTS)
    answer = lend(gateway.url).call(stream=True)
    assert answer.body == events.replace(SECRET.encode(), b"[secret]")
    for text in (ApiKey.objects.get(pk="key-1").status_reason, *pages(staff)):
        assert "[secret] is limited" in text
        assert SECRET not in text
