"""The inbox of alerts in a browser: its journey by mouse and by keyboard, and without a script."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from alerts import services as alerts
from alerts.models import Alert
from keys.alert_kinds import KEY_BROKEN, KEY_COOLING
from keys.models import Agent
from tests.actors import GRACE
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import add_key, allocate, limit, report

pytestmark = pytest.mark.django_db(transaction=True)
BROKEN = "Key nvidia-1 is broken"
CROSSED = "ada has reached 80% of its tokens this day"


@pytest.fixture
def raised(people):
    """A key is broken, and another one sends too many requests."""
    add_key("nvidia-1")
    for kind, key, title in (
        (KEY_BROKEN, "nvidia-1", BROKEN),
        (KEY_COOLING, "nvidia-2", "Key nvidia-2 sends too many requests"),
    ):
        alerts.raise_alert(
            kind=kind,
            dedup_key=f"{kind.slug}:{key}",
            title=title,
            detail="The provider answered so.",
            key_id=key,
            now=timezone.now(),
        )


@pytest.fixture
def crossed(people):
    """A settled call of ada has reached 80 % of what she may spend in a day."""
    now = timezone.now()
    add_key("nvidia-1")
    limit(Agent.objects.get(pk="ada"), 10_000, now=now)
    report(allocate(tokens=10_000, now=now, auto_rotate=False), 8_000, now=now)
    Alert.objects.exclude(kind="agent_budget_threshold").delete()


@pytest.fixture(params=["mouse", "keyboard"])
def press(request):
    """Presses a link, a button or a box as the person does."""
    if request.param == "mouse":
        return lambda thing, key="Enter": thing.click()

    def by_keyboard(thing, key="Enter"):
        thing.wait_for()
        for _ in range(60):
            if thing.evaluate("each => each === document.activeElement"):
                break
            thing.page.keyboard.press("Tab")
        expect(thing).to_be_focused()
        thing.page.keyboard.press(key)

    return by_keyboard


def test_a_budget_that_was_crossed_is_acknowledged_snoozed_and_resolved(signed_in, crossed, press):
    page = signed_in().new_page()
    page.goto("/budgets/agents/ada")
    expect(page.get_by_text("80 % (reached")).to_be_visible()
    press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Alerts"))
    press(page.get_by_role("checkbox", name=CROSSED), "Space")
    press(page.get_by_role("button", name="Acknowledge"))
    dialog = page.get_by_role("dialog", name=f"Acknowledge: {CROSSED}")
    expect(dialog.get_by_label("Note")).to_be_focused()
    page.keyboard.type("looking at it")
    press(dialog.get_by_role("button", name="Acknowledge"))
    expect(page.get_by_role("status")).to_contain_text("Acknowledged")
    press(page.get_by_role("link", name="Acknowledged 1"))
    press(page.get_by_role("link", name=CROSSED, exact=True))
    press(page.get_by_role("link", name="Snooze"))
    dialog = page.get_by_role("dialog", name="Snooze")
    expect(dialog.get_by_label("1 hour")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_label("Until tomorrow, 09:00")).to_be_checked()
    press(dialog.get_by_role("button", name="Snooze"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("snoozed")
    press(page.get_by_role("link", name="Resolve"))
    dialog = page.get_by_role("dialog", name="Resolve")
    expect(dialog.get_by_label("What was done")).to_be_focused()
    page.keyboard.type("asked for more")
    press(dialog.get_by_role("button", name="Resolve"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("resolved")
    found = Alert.objects.get(kind="agent_budget_threshold")
    assert (found.acknowledged_note, found.resolved_note) == ("looking at it", "asked for more")


def test_many_are_resolved_without_a_script(signed_in, raised):
    page = signed_in(java_script_enabled=False).new_page()
    page.goto("/alerts")
    page.get_by_role("link", name="Select all").click()
    page.get_by_role("button", name="Resolve").click()
    page.get_by_label("What was done").fill("all mended")
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("status")).to_contain_text("Resolved: 2 alerts.")
    assert not Alert.objects.unresolved().exists()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_for_all_people(signed_in, live_server, raised, theme):
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    found = Alert.objects.get(kind="key_broken")
    alerts.acknowledge(found.pk, actor=GRACE, note="calling them", now=timezone.now())
    faults = []
    for path in (
        "/alerts?stage=acknowledged",
        f"/alerts?act=snooze&alert={found.pk}&alert={found.pk + 1}",
        f"/alerts/{found.pk}",
        f"/alerts/{found.pk}?act=resolve",
    ):
        page.goto(path)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
    expect(page.get_by_role("dialog", name=re.compile("Resolve"))).to_be_visible()
