"""A scheduled report from its first day to its last, by keyboard, also on a telephone."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, expect

from reports.models import ReportSchedule
from security.models import AuditEntry
from tests.browser.walk import Watch, overflow, violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
_TABS_MAX = 80


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the link, button or field with this name has the focus."""
    named = """() => {
        const it = document.activeElement;
        return ((it.labels && it.labels[0]) || it).innerText.trim();
    }"""
    for _ in range(_TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate(named) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab on {page.url}")


def press(page: Page, name: str) -> None:
    """Follow a link or press a button, by keyboard."""
    tab_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def write(page: Page, name: str, text: str) -> None:
    """Write into a field in the place of what is there, by keyboard."""
    tab_to(page, name)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (360, "dark")])
def test_a_report_is_scheduled_sent_changed_paused_and_deleted(
    signed_in, live_server, people, width, theme
):
    page = signed_in(theme, viewport={"width": width, "height": 800}).new_page()
    get_user_model().objects.filter(username="grace").update(email="grace@example.org")
    watch, faults = Watch(page, live_server.url), []

    def look() -> None:
        faults.extend(violations(page) + overflow(page))

    page.goto("/reports/schedules")
    press(page, "Schedule a report")
    expect(page.get_by_role("dialog")).to_be_visible()
    look()
    page.get_by_label("Name:", exact=True).focus()
    page.keyboard.type("Every morning")
    press(page, "Schedule a report")
    press(page, "Every morning")
    expect(page.get_by_text("every day at 07:00, to grace")).to_be_visible()
    expect(page.get_by_text("Next:")).to_be_visible()
    look()

    press(page, "Send now")
    press(page, "Send now")
    expect(page.get_by_text("It is sent within a minute.")).to_be_visible()
    expect(page.get_by_role("cell", name="queued", exact=True)).to_be_visible()

    press(page, "Change")
    look()
    write(page, "Hour:", "9")
    write(page, "Time zone:", "Asia/Tokyo")
    press(page, "Change")
    expect(page.get_by_text("every day at 09:00 in Asia/Tokyo")).to_be_visible()
    look()

    press(page, "Pause")
    press(page, "Pause")
    expect(page.get_by_text("It is paused.")).to_be_visible()
    expect(page.get_by_text("Next:")).to_have_count(0)

    press(page, "Delete")
    expect(page.get_by_text("its history is deleted with it")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, "Delete")
    press(page, "Delete")
    expect(page.get_by_text("You have no scheduled reports yet.")).to_be_visible()
    look()

    assert not ReportSchedule.objects.exists()
    acts = AuditEntry.objects.filter(action__startswith="report_schedule.").order_by("pk")
    assert [each.action.partition(".")[2] for each in acts] == [
        "add", "run", "change", "pause", "delete",
    ]  # fmt: skip
    assert "\n".join(faults + watch.faults) == ""
