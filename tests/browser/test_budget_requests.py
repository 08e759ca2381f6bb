"""An agent without budget, from the refusal of the gateway to the end of the grant."""

import json
from datetime import timedelta
from urllib.parse import unquote

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from gateway.error_responses import refusal_response
from keys import jobs
from keys import services as keys
from keys.models import Agent
from keys.refusals import AllocationExhausted, LimitReached
from security import services as security
from security.actor import Actor
from security.models import Approval, AuditEntry
from security.refusals import SecondPersonNeeded
from tests.books import assert_books_balance
from tests.browser.walk import Watch, overflow, violations
from tests.gateway.server import gateway_on, lend, supply_key
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def spent(people):
    """A session of ada has used 900 of its 1,000 tokens, which are all that ada may ever use."""
    now = timezone.now()
    add_key("nvidia-1", per_day=None, rates=PAID)
    limit(Agent.objects.get(pk="ada"), 1_000, period="total", now=now)
    return report(allocate(tokens=1_000, now=now, auto_rotate=False), 900, now=now).allocation


def link_of_refusal(allocation):
    """The page that the gateway names to a client whose call needs 700 tokens."""
    refusal = AllocationExhausted(needed=700, **allocation.budget)
    body = json.loads(refusal_response(refusal, wire_format="openai", request_id="req_1")[2])
    link = body["butler"]["ask_page"]
    assert f" {link} " in body["error"]["message"]
    return link.removeprefix(settings.PUBLIC_URL)


def as_olga(page, site):
    """The window belongs to another person, who may decide."""
    olga = get_user_model().objects.create_superuser("olga", "olga@example.org")
    client = Client()
    client.force_login(olga)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site}
    page.context.add_cookies([cookie])


def press(page, thing):
    """Reach it by the keyboard alone, and press it."""
    thing.wait_for()
    for _ in range(80):
        if thing.evaluate("each => each === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(thing).to_be_focused()
    page.keyboard.press("Enter")


def nobody_approves_their_own(page, asked):
    """Not by page, service or SQL."""
    page.goto(f"/approvals/{asked.pk}?act=approve")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Approve", exact=True)).to_have_count(0)
    with pytest.raises(SecondPersonNeeded):
        security.approve(asked.pk, actor=Actor.person("grace"), now=timezone.now())
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        Approval.objects.filter(pk=asked.pk).update(
            status="approved",
            decided_by_name="grace",
            decided_by_kind="person",
            decided_persons=asked.asked_persons,
            decided_at=timezone.now(),
        )


@pytest.fixture
def gateway(people, sandbox, settings):
    """The gateway with one key; ada may ever use 1,000 tokens."""
    supply_key("nvidia-1")
    limit(Agent.objects.get(pk="ada"), 1_000, period="total", now=timezone.now())
    with gateway_on(sandbox, settings) as running:
        yield running


def call(gateway, *, tokens):
    """A call of a new session with so many tokens, about a text of 2,000 words."""
    session = lend(gateway.url, tokens=tokens, auto_rotate=False)
    return session.call("budget " * 2_000)


def test_from_the_refusal_to_the_end_of_the_grant_by_keyboard(signed_in, live_server, gateway):
    refusal = call(gateway, tokens=1_000)
    assert (refusal.status, refusal.code) == (400, "allocation_exhausted")
    needed = int(refusal.headers["x-butler-tokens-needed"])
    page = signed_in().new_page()
    watch = Watch(page, live_server.url)
    page.goto(refusal.json["butler"]["ask_page"].removeprefix(settings.PUBLIC_URL))
    expect(page.get_by_label("How much more")).to_have_value(str(needed))
    expect(page.get_by_text(f"it may use {needed:,} tokens more in total")).to_be_visible()
    faults = violations(page) + overflow(page)
    page.get_by_label("Why").focus()
    page.keyboard.type("a late report")
    press(page, page.get_by_role("button", name="Send the request"))
    expect(page.get_by_role("status").filter(has_text="Your request is sent")).to_be_visible()
    asked = Approval.objects.get()
    nobody_approves_their_own(page, asked)

    page.set_viewport_size({"width": 360, "height": 740})
    as_olga(page, live_server.url)
    page.goto("/approvals")
    faults += violations(page) + overflow(page)
    press(page, page.get_by_role("link", name="Approve Budget request of ada"))
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    faults += violations(page) + overflow(page)
    page.keyboard.type("as agreed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="It is approved.")).to_be_visible()
    grant = Approval.objects.get().grant

    assert call(gateway, tokens=needed).status == 200
    with pytest.raises(LimitReached):
        allocate(tokens=needed, now=timezone.now())
    end = grant.ends_at
    keys.expire_allocations(now=end)
    allocate(tokens=10, now=end - timedelta(microseconds=1))
    with pytest.raises(LimitReached):
        allocate(tokens=1, now=end)
    with time_machine.travel(end):
        assert [jobs.record_ended_grants(), jobs.record_ended_grants()] == [1, 0]
    actions = AuditEntry.objects.about("agent:ada").values_list("action", flat=True)
    assert {"grant.create", "grant.end"} <= set(actions)
    assert_books_balance()
    assert "\n".join(faults + watch.faults) == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_form_is_for_all_people(signed_in, live_server, spent, theme):
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    page.goto(unquote(link_of_refusal(spent)))
    faults = []
    for amount in ("700", "0"):
        page.get_by_label("How much more").fill(amount)
        page.get_by_role("button", name="Show the effect").click()
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
