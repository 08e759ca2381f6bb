"""The inbox of alerts in a browser: its journey by mouse and by keyboard, and without a script."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from alerts import services as alerts
from alerts.models import Alert
from keys.alert_kinds import KEY_BROKEN, KEY_COOLING
from tests.actors import GRACE
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db(transaction=True)
BROKEN = "Key nvidia-1 is broken"


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


def test_an_alert_is_acknowledged_snoozed_and_resolved(signed_in, raised, press):
    page = signed_in().new_page()
    page.goto("/")
    press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Alerts"))
    press(page.get_by_role("checkbox", name=BROKEN), "Space")
    press(page.get_by_role("button", name="Acknowledge"))
    dialog = page.get_by_role("dialog", name="Acknowledge: Key nvidia-1 is broken")
    expect(dialog.get_by_label("Note")).to_be_focused()
    page.keyboard.type("calling them")
    press(dialog.get_by_role("button", name="Acknowledge"))
    expect(page.get_by_role("status")).to_contain_text("Acknowledged")
    press(page.get_by_role("link", name="Acknowledged 1"))
    press(page.get_by_role("link", name=BROKEN, exact=True))
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
    page.keyboard.type("new secret")
    press(dialog.get_by_role("button", name="Resolve"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("resolved")
    found = Alert.objects.get(kind="key_broken")
    assert (found.acknowledged_note, found.resolved_note) == ("calling them", "new secret")


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
