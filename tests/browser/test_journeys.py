"""What people come for, each by mouse and by keyboard alone."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from keys.models import Limit
from orchestration import services as tasks
from security.models import AuditEntry
from tests.browser.walk import overflow
from tests.gateway.server import running_gateway
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(browser, people):
    """A page of grace's browser, at a server that runs streams, too."""
    now = timezone.now()
    limit(add_key("nvidia-1", per_day=None, rates=PAID), 1_000_000, now=now)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    with running_gateway() as server:
        context = browser.new_context(base_url=server.url)
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}
        context.add_cookies([cookie])
        yield context.new_page()
        context.close()


@pytest.fixture(params=["mouse", "keyboard"])
def press(request):
    """Presses a link or a button as the person does."""
    if request.param == "mouse":
        return lambda thing: thing.click()

    def by_keyboard(thing):
        thing.wait_for()
        for _ in range(60):
            if thing.evaluate("each => each === document.activeElement"):
                break
            thing.page.keyboard.press("Tab")
        expect(thing).to_be_focused()
        thing.page.keyboard.press("Enter")

    return by_keyboard


def test_todays_spend_changes_while_an_agent_runs(page, press):
    page.goto("/access")
    press(page.get_by_role("navigation").get_by_role("link", name="Overview"))
    expect(page.locator("html")).to_have_attribute("data-live", "live", timeout=30_000)
    today = page.locator("#month-figures .facts > div").first
    expect(today).to_contain_text("$0.00")
    allocation = allocate(tokens=100_000, now=timezone.now(), auto_rotate=False)
    report(allocation, 40_000, now=timezone.now())
    expect(today).to_contain_text("$0.12", timeout=30_000)
    report(allocation, 40_000, now=timezone.now())
    expect(today).to_contain_text("$0.24", timeout=30_000)


def test_a_keys_limit_is_lowered_with_a_reason(page, press):
    page.goto("/")
    press(page.get_by_role("navigation").get_by_role("link", name="Keys"))
    press(page.get_by_role("link", name="1 idle key"))
    press(page.get_by_role("link", name="nvidia-1"))
    press(page.get_by_role("link", name="Change limit"))
    dialog = page.get_by_role("dialog", name="Change limit: nvidia-1")
    expect(dialog.get_by_label("Limit", exact=False).first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("0.5")
    page.keyboard.press("Tab")
    page.keyboard.type("the pilot is over")
    press(dialog.get_by_role("button", name="Change limit"))
    # The error is said, and what was typed is still there.
    expect(dialog.get_by_text("Use a whole number of tokens")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_have_value("the pilot is over")
    expect(dialog.get_by_label("New amount")).to_be_focused()
    dialog.get_by_label("New amount").press("Control+a")
    page.keyboard.type("300000")
    press(dialog.get_by_role("button", name="Change limit"))
    expect(page.get_by_role("status").filter(has_text="The limit of nvidia-1")).to_be_visible()
    assert Limit.objects.get().amount == 300_000
    assert AuditEntry.objects.filter(action="limit.set", reason="the pilot is over").exists()


def test_escape_and_cancel_lead_back_without_a_change(page):
    for leave in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.get_by_role("link", name="Cancel").click(),
    ):
        page.goto("/keys/nvidia-1?act=pause")
        expect(page.get_by_role("dialog")).to_be_visible()
        leave()
        page.wait_for_url("**/keys/nvidia-1")
    expect(page.get_by_text("active", exact=True)).to_be_visible()


def test_a_task_is_found_from_every_page(page):
    request = tasks.TaskRequest(
        total_budget=50_000, sub_tasks=({"description": "Write"},), name="Quarterly report"
    )
    task, _ = tasks.submit(agent="ada", request=request, now=timezone.now())
    page.goto("/keys")
    page.keyboard.press("Control+k")
    page.keyboard.type("Quarterly")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tasks/{task.pk}")


def test_the_pages_are_read_on_a_telephone(page):
    now = timezone.now()
    report(allocate(tokens=100_000, now=now, auto_rotate=False), 80_000, now=now)
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", "/keys", "/keys/nvidia-1", "/keys/nvidia-1?act=limit"):
        page.goto(path)
        assert overflow(page) == []
    page.goto("/")
    for words in ("so far", "Today", "Spend by cost centre", "Capacity"):
        expect(page.get_by_text(words).first).to_be_visible()
