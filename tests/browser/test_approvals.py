"""A person decides what waits for them, by mouse and by keyboard alone, and on a telephone."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import expect

from keys import services as keys
from keys.models import Agent, Limit
from orchestration import services as tasks
from security.models import Approval, ApprovalPolicy
from tests.actors import OLGA
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import limit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(people):
    """Olga asked for more for ada, and a sub-task of ada waits."""
    now = timezone.now()
    get_user_model().objects.create_superuser("olga", "olga@example.org")
    ada = Agent.objects.get(pk="ada")
    limit(ada, 1_000, now=now)
    ApprovalPolicy.objects.update_or_create(kind="limit", defaults={"in_force_since": now})
    terms = keys.Terms(unit="tokens", period="day", amount=6_000)
    parts = ({"description": "Publish", "needs_approval": True},)
    request = tasks.TaskRequest(total_budget=1_000, sub_tasks=parts, name="Launch")
    task, _ = tasks.submit(agent="ada", request=request, now=now)
    approval = keys.propose_limit(ada, terms=terms, reason="more work", actor=OLGA, now=now)
    return approval, task.sub_tasks.get()


def test_a_request_that_waits_is_approved_by_keyboard_alone(signed_in, waiting):
    page = signed_in().new_page()

    def press(thing):
        thing.wait_for()
        for _ in range(60):
            if thing.evaluate("each => each === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(thing).to_be_focused()
        page.keyboard.press("Enter")

    page.goto("/")
    press(page.get_by_role("navigation").get_by_role("link", name="Approvals 2 waiting"))
    press(page.get_by_role("link", name="Approve Limit of ada"))
    dialog = page.get_by_role("dialog", name="Approve: Limit of ada")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("as agreed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="It is approved.")).to_be_visible()
    expect(page.get_by_role("link", name="Approvals 1 waiting")).to_be_visible()
    assert Limit.objects.get().amount == 6_000
    assert Approval.objects.get().decided_reason == "as agreed"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_what_waits_are_for_all_people(signed_in, live_server, waiting, theme):
    approval, gate = waiting
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    one, other = f"/approvals/{approval.pk}", f"/approvals/gates/{gate.pk}"
    for path in ("/approvals", one, f"{one}?act=reject", other, f"{other}?act=approve"):
        page.goto(path)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
