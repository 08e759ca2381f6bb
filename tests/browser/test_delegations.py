"""A person on leave names a deputy, who decides on a telephone; who asked is refused."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from keys import services as keys
from keys.models import Agent, Limit
from security import services as security
from security.actor import Actor
from security.models import Approval, ApprovalPolicy, AuditEntry
from security.refusals import SecondPersonNeeded
from tests.actors import OLGA
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import limit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PEOPLE = {"olga": "approver", "bob": "viewer", "grace": "operator"}


@pytest.fixture
def window(browser, live_server, people):
    """`window("olga")`: a window in which this person is signed in."""
    for name, role in PEOPLE.items():
        user = get_user_model().objects.create_user(name, f"{name}@example.org", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    opened = []

    def sign_in(name, **options):
        client = Client()
        client.force_login(get_user_model().objects.get(username=name))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context = browser.new_context(base_url=live_server.url, **options)
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
        context.add_cookies([cookie])
        opened.append(context)
        return context.new_page()

    yield sign_in
    for context in opened:
        context.close()


def _asked(amount, by):
    """A rise of ada's limit, which waits."""
    terms = keys.Terms(unit="tokens", period="day", amount=amount)
    ada, now = Agent.objects.get(pk="ada"), timezone.now()
    return keys.propose_limit(ada, terms=terms, reason="more work", actor=by, now=now)


def test_a_deputy_decides_on_a_telephone_what_neither_asked_for(window, live_server):
    now = timezone.now()
    limit(Agent.objects.get(pk="ada"), 1_000, now=now)
    ApprovalPolicy.objects.update_or_create(kind="limit", defaults={"in_force_since": now})
    of_olga = _asked(9_000, OLGA)

    olga = window("olga")
    watches, faults = [Watch(olga, live_server.url)], []
    olga.goto("/settings/me")
    olga.get_by_role("link", name="Name a deputy").click()
    dialog = olga.get_by_role("dialog", name="Name a deputy: olga")
    expect(dialog.get_by_label("Deputy")).to_be_focused()
    faults += violations(olga) + overflow(olga)
    dialog.get_by_label("Deputy").select_option("bob")
    dialog.get_by_label("Last day").fill(f"{now + timedelta(days=6):%Y-%m-%d}")
    dialog.get_by_label("Reason").fill("on leave")
    olga.keyboard.press("Enter")
    expect(olga.get_by_role("status")).to_contain_text("bob decides for olga in that time.")
    faults += violations(olga)

    approval = _asked(6_000, Actor.person("grace"))
    bob = window("bob", viewport={"width": 360, "height": 740})
    watches.append(Watch(bob, live_server.url))
    bob.goto("/approvals")
    expect(bob.get_by_text("You decide for olga until")).to_be_visible()
    expect(bob.get_by_text("for olga", exact=True)).to_be_visible()
    faults += violations(bob) + overflow(bob)
    expect(bob.get_by_role("link", name="Approve Limit of ada")).to_have_count(1)
    bob.get_by_role("link", name="Approve Limit of ada").click()
    faults += violations(bob) + overflow(bob)
    bob.get_by_role("dialog").get_by_label("Reason").fill("as agreed")
    bob.keyboard.press("Enter")
    expect(bob.get_by_role("status").filter(has_text="It is approved.")).to_be_visible()
    assert Limit.objects.get().amount == 6_000
    assert Approval.objects.get(pk=approval.pk).decided_by == "bob for olga"
    assert AuditEntry.objects.get(action="approval.approve").after["decided_for"] == "olga"
    bob.goto(f"/approvals/{approval.pk}")
    expect(bob.get_by_text("bob for olga")).to_be_visible()
    faults += violations(bob) + overflow(bob)

    with pytest.raises(SecondPersonNeeded):
        security.approve(of_olga.pk, actor=Actor.person("bob"), now=timezone.now())
    olga.goto(f"/approvals/{of_olga.pk}")
    expect(olga.get_by_role("link", name="Withdraw")).to_be_visible()
    expect(olga.get_by_role("link", name="Approve", exact=True)).to_have_count(0)

    olga.goto("/settings/me")
    olga.get_by_role("link", name="Revoke bob").click()
    olga.get_by_role("dialog").get_by_label("Reason").fill("back again")
    olga.keyboard.press("Enter")
    expect(olga.get_by_role("status")).to_contain_text("bob no longer decides for olga.")
    faults += [each for watch in watches for each in watch.faults]
    assert bob.goto("/approvals").status == 403
    assert "\n".join(faults) == ""
