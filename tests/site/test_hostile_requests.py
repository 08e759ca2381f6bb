"""What others try with requests to the pages and the API, at every address."""

import io
import logging
import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from api.urls import urlpatterns
from common.logs import TextFormatter
from keys import services as keys
from keys.models import Agent, CostCentre
from orchestration import services as orchestration
from security import audit
from security.audit_actions import Action
from tests.actors import ACTOR
from tests.alerts.builders import raised
from tests.api.caller import ROOT, token_of
from tests.gate.approvals import budget_request
from tests.keys.builders import add_key, allocate, report
from tests.orchestration.work import submit
from tests.site import addresses

pytestmark = pytest.mark.django_db
MARKUP = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"
ELSEWHERE = ("//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:alert(1)")


@pytest.fixture
def grace():
    """An administrator."""
    return get_user_model().objects.create_superuser("grace", password="a-password-of-grace")


def signed_in(person, **options):
    client = Client(**options)
    client.force_login(person)
    client.raise_request_exception = False
    return client


def test_no_page_takes_a_form_that_another_site_sends(grace):
    client = signed_in(grace, enforce_csrf_checks=True)
    statuses = {
        route: client.post(addresses.path_of(route), {"reason": "x"}).status_code
        for route in addresses.pages()
    }
    # The pages of a provider that people sign in with are there only if there is one.
    assert {status for route, status in statuses.items() if "/oidc/" not in route} == {403}


def test_no_page_leads_to_another_site(grace):
    names = ("next", "url", "redirect_to", "return_to")
    query = dict(zip(names, ELSEWHERE, strict=True))
    outside = []
    for client in (signed_in(grace), Client()):
        for route in addresses.pages():
            where = client.get(addresses.path_of(route), query).headers.get("Location", "")
            if re.match(r"\s*(\w+:|[/\\]{2})", where):
                outside.append((route, where))
    assert outside == []


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_to_no_other_site(grace, target):
    form = {"login": "grace", "password": "a-password-of-grace", "next": target}
    answer = Client().post("/admin/login/", form)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/") and "evil" not in answer["Location"]


def test_what_agents_and_models_wrote_is_markup_on_no_page(people, grace):
    _write_everywhere()
    client, shown = signed_in(grace), 0
    for address in ["/", *_pages_of_rows()]:
        html = client.get(address).content.decode()
        assert "<img src=x" not in html and "<script>alert" not in html, address
        shown += "&lt;img src=x" in html
    # The words are there, so the pages were looked at.
    assert shown > 10


def _write_everywhere():
    """The markup in every text that an agent, a model, a provider or a colleague can write."""
    add_key("nvidia-1")
    now = timezone.now()
    keys.set_key_status("nvidia-1", status="inactive", reason=MARKUP, actor=ACTOR, now=now)
    keys.set_key_status("nvidia-1", status="active", reason=MARKUP, actor=ACTOR, now=now)
    report(allocate(now=now), 900, now=now)
    submit(MARKUP, name=MARKUP)
    now = timezone.now()
    [attempt] = orchestration.claim(worker=MARKUP[:60], most=1, now=now)
    ended = orchestration.AttemptOutcome(
        attempt.pk, 1, "succeeded", text=MARKUP, facts={"said": MARKUP, MARKUP: 1}
    )
    assert orchestration.finish_many([ended], now=now) == [True]
    raised(title=MARKUP, detail=MARKUP, facts={MARKUP: MARKUP})
    budget_request(Agent.objects.get(pk="ada"))
    audit.record(
        actor=ACTOR,
        action=Action.APPROVAL_ASK,
        subject=f"agent:{MARKUP}",
        before={MARKUP: MARKUP},
        after={"note": MARKUP},
        reason=MARKUP,
        at=now,
    )
    for model in (Agent, CostCentre):
        model.objects.update(name=MARKUP)


def _pages_of_rows():
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        for pk in model.objects.values_list("pk", flat=True)[:2]:
            yield reverse(f"{name}_change", args=[pk])
            yield reverse(f"{name}_history", args=[pk])


BODIES = {
    "nested without end": b"[" * 200_000,
    "nested objects": b'{"a":' * 50_000,
    "a number without end": b'{"tokens":' + b"9" * 200_000 + b"}",
    "a huge exponent": b'{"tokens":1e999999999,"name":1e-999999999}',
    "NUL": b'{"name":"\\u0000","reason":"\\u0000","scope":"\\u0000"}',
    "half a character": b'{"name":"\\ud800","reason":"\\ud800","description":"\\ud800"}',
    "no UTF-8": b'{"name":"\xff\xfe"}',
    "a name a thousand times": b"{" + b",".join([b'"tokens":1'] * 1_000) + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_operation_of_the_api_fails_on_odd_json(people, body):
    token = token_of("ada", "read", "spend", "operate")
    client = Client(headers={"authorization": f"Bearer {token}"}, raise_request_exception=False)
    failed = {}
    for pattern in urlpatterns:
        path = f"{ROOT}/" + re.sub(r"<(\w+:)?\w+>", "1", str(pattern.pattern))
        answer = client.post(path, body, content_type="application/json")
        if answer.status_code >= 500:
            failed[path] = answer.status_code
    assert failed == {}


@pytest.mark.parametrize("forged", ["\n", "\r", "\r\n", "\x1b[2K", "\x85", "\u2028"])
def test_a_request_begins_no_line_of_the_log(forged):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        line = f"x{forged}2026-11-27 12:00:00,000 CRITICAL butler: all keys are frozen"
        client = Client()
        client.post("/admin/login/", {"login": line, "password": line})
        client.get(f"/nowhere/{line}", headers={"user-agent": line})
        logging.getLogger("test").warning("said: %s", line)
    finally:
        root.removeHandler(handler)
    lines = written.getvalue().splitlines()
    assert lines
    assert not [each for each in lines if each.startswith("2026-11-27 12:00:00,000 CRITICAL")]


def test_a_traceback_keeps_its_lines():
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError as error:
        given = (RuntimeError, error, error.__traceback__)
    record = logging.LogRecord("test", logging.ERROR, __file__, 1, "failed\nhere", (), given)
    message, *trace = TextFormatter().format(record).splitlines()
    assert message.endswith("test: failed\\nhere")
    assert trace[0] == "Traceback (most recent call last):"
    assert len(trace) > 3
