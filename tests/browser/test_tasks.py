"""A person watches a task finish, approves a gate on the way, and cancels another by keyboard."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from dashboard.theme import COOKIE
from orchestration.models import SubTask, Task
from tests.browser.walk import Watch, overflow, violations
from tests.dashboard.live_streams import quick_ticks
from tests.gateway.server import running_gateway
from tests.keys.builders import PAID, add_key
from tests.orchestration.work import finish_attempt, start_attempts, submit

pytestmark = pytest.mark.django_db(transaction=True)
WAITS_MS = 60_000
PARTS = 12


@pytest.fixture
def server(people, monkeypatch):
    quick_ticks(monkeypatch)
    add_key("nvidia-1", per_day=10_000_000, rates=PAID)
    with running_gateway() as running:
        yield running


@pytest.fixture
def window(browser, server):
    """`window(theme)`: a page of grace's browser, who may do everything."""
    grace = get_user_model().objects.create_superuser("grace", password="x")
    client = Client()
    client.force_login(grace)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    opened = []

    def page(theme="light"):
        context = browser.new_context(base_url=server.url)
        cookies = {settings.SESSION_COOKIE_NAME: session, COOKIE: theme}
        context.add_cookies(
            [{"name": k, "value": v, "url": server.url} for k, v in cookies.items()]
        )
        opened.append(context)
        return context.new_page()

    yield page
    for context in opened:
        context.close()


def launch(name="Launch"):
    """Four at once, four after one of them each, and a chain of four, the first by a yes."""
    first = [f"Gather {n}" for n in range(1, 5)]
    second = [{"description": f"Sort {n}", "depends_on": [str(n)]} for n in range(1, 5)]
    third = [
        {"description": f"Write {n}", "depends_on": [str(n - 1)], "needs_approval": n == 9}
        for n in range(9, 13)
    ]
    return submit(*first, *second, *third, name=name, max_concurrent=4)


def finish_what_can_start():
    for attempt in start_attempts(timezone.now()):
        finish_attempt(attempt, used=100, now=timezone.now())


def test_a_task_of_twelve_parts_is_watched_until_it_is_done(window, server):
    task = launch()
    gate = SubTask.objects.get(task=task, key="9")
    page = window()
    watch = Watch(page, server.url)
    page.goto(f"/tasks/{task.pk}")
    expect(page.locator("html")).to_have_attribute("data-live", "live", timeout=WAITS_MS)
    expect(page.locator("a.node")).to_have_count(PARTS)
    node = page.locator(f"#node-{SubTask.objects.get(task=task, key='12').pk}")
    node.focus()
    attempts = start_attempts(timezone.now())
    expect(page.locator("a.node.running")).to_have_count(4, timeout=WAITS_MS)
    page.locator("#times-table > summary").click()
    node.focus()
    for attempt in attempts:
        finish_attempt(attempt, used=100, now=timezone.now())
    expect(page.locator("a.node.succeeded")).to_have_count(4, timeout=WAITS_MS)
    expect(node).to_be_focused()
    expect(page.locator("#times-table")).to_have_attribute("open", "")
    finish_what_can_start()
    expect(page.locator("a.node.gated")).to_have_count(1, timeout=WAITS_MS)
    page.get_by_role("link", name="gated", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("as agreed")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(f"The sub-task {gate.name} is approved.")).to_be_visible()
    page.goto(f"/tasks/{task.pk}")
    for _ in range(4):
        finish_what_can_start()
    expect(page.locator("a.node.succeeded")).to_have_count(PARTS, timeout=WAITS_MS)
    expect(page.locator("#task-head .badge")).to_have_text("completed", timeout=WAITS_MS)
    expect(page.locator("#task-log")).to_contain_text("approved by grace: “as agreed”")
    assert watch.faults == []


def test_a_task_is_cancelled_by_keyboard_alone(window):
    task = launch("Campaign")
    page = window()
    page.goto("/tasks")

    def press(thing):
        thing.wait_for()
        for _ in range(60):
            if thing.evaluate("each => each === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(thing).to_be_focused()
        page.keyboard.press("Enter")

    press(page.get_by_role("link", name="Campaign"))
    press(page.locator("#act-cancel"))
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    page.keyboard.type("not needed")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The task Campaign is cancelled.")).to_be_visible()
    assert Task.objects.get(pk=task.pk).status == "cancelled"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_a_task_are_for_all_people(window, server, theme):
    task = launch()
    finish_what_can_start()
    page = window(theme)
    watch, faults = Watch(page, server.url), []
    part = f"/tasks/parts/{SubTask.objects.get(task=task, key='1').pk}"
    for path in ("/tasks", f"/tasks/{task.pk}", f"/tasks/{task.pk}?act=cancel", part):
        page.goto(path)
        for details in page.locator("main details").all():
            details.evaluate("each => { each.open = true; }")
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
