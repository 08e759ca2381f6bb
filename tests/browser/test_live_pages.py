"""A live page in a browser: what comes disturbs nobody, and the page says whether it is live."""

import re
from itertools import count
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from gate import services as gate
from tests.actors import ACTOR
from tests.dashboard.live_streams import live_page, quick_ticks
from tests.gateway.server import running_gateway
from tests.keys.builders import PAID, add_key, allocate, report
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
UPDATES = 10
SHIFT_MAX = 0.02
STALE_MS = 31_000
WAITS_MS = 60_000
# What a person may be at while it changes, and far more lines than fit into the window.
PAGE = """
<title>Update {number}</title><hx-partial hx-target="#live" hx-swap="innerMorph">
<p>Update <b id="number">{number}</b></p>
<svg viewBox="0 0 99 9" width="99" height="9"><rect id="bar" width="{number}" height="9"/></svg>
<form><label>Note <input id="note"></label></form>
<details id="more"><summary>More</summary><p>{number} more</p></details>
<ol>{lines}</ol></hx-partial>
"""
_WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) window.shift += each.value;
}).observe({type: "layout-shift"});
"""
_STATE = """({
  focused: document.activeElement.id, same: document.activeElement === window.note,
  typed: window.note.value, caret: window.note.selectionStart, selected: window.note.selectionEnd,
  open: document.getElementById("more").open, scrolled: scrollY,
  svg: document.getElementById("bar") instanceof SVGElement,
})"""


@pytest.fixture
def server(db):
    with running_gateway() as running:
        yield running


@pytest.fixture(autouse=True)
def quick_hub(monkeypatch):
    quick_ticks(monkeypatch)


@pytest.fixture
def grace(db):
    return get_user_model().objects.create_superuser("grace", password="x")


@pytest.fixture
def window(browser, server, grace):
    """A page of grace's browser; what the console says is in `said`."""
    client = Client()
    client.force_login(grace)
    context = browser.new_context(base_url=server.url)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}
    context.add_cookies([cookie])
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    yield page
    context.close()


def live(page, name):
    """Wait until the page says this of itself."""
    expect(page.locator("html")).to_have_attribute("data-live", name, timeout=WAITS_MS)


def test_updates_leave_alone_what_a_person_is_at(window, monkeypatch):
    number = count()
    lines = "<li>A line</li>" * 200
    fragments = lambda request, now: PAGE.format(number=next(number), lines=lines)  # noqa: E731
    live_page(monkeypatch, "overview", fragments)
    window.goto("/")
    live(window, "live")
    window.locator("#note").fill("three words here")
    window.evaluate("window.note = document.getElementById('note'); note.setSelectionRange(6, 11)")
    window.locator("#more").evaluate("each => each.open = true")
    window.evaluate("scrollTo(0, 90)")
    window.evaluate(_WATCH_SHIFTS)
    before = window.evaluate(_STATE)
    first = int(window.locator("#number").text_content())
    wait_until(lambda: int(window.locator("#number").text_content()) >= first + UPDATES)
    assert window.evaluate(_STATE) == before
    assert before == {
        "focused": "note",
        "same": True,
        "typed": "three words here",
        "caret": 6,
        "selected": 11,
        "open": True,
        "scrolled": 90,
        "svg": True,
    }
    assert window.evaluate("window.shift") < SHIFT_MAX
    expect(window).to_have_title(re.compile(r"Update \d+"), timeout=WAITS_MS)
    assert window.said == []


def test_the_page_says_that_its_server_is_gone_greys_its_figures_and_heals(window, grace, browser):
    client = Client()
    client.force_login(grace)
    with running_gateway() as first:
        port = urlsplit(first.url).port
        window.clock.install()
        window.goto(first.url)
        live(window, "live")
        expect(window.locator("#live-state")).to_have_text(
            re.compile(r"Live \d\d:\d\d:\d\d"), timeout=WAITS_MS
        )
    live(window, "reconnecting")
    expect(window.locator("#live-state")).to_have_text(
        re.compile("Reconnecting since "), timeout=WAITS_MS
    )
    window.clock.fast_forward(STALE_MS)
    live(window, "stale")
    expect(window.locator("#live-state")).to_have_text(
        re.compile("Not live. As of "), timeout=WAITS_MS
    )
    expect(window.locator("#live")).to_have_css("filter", "grayscale(1)", timeout=WAITS_MS)
    with running_gateway(port=port):
        live(window, "live")
        expect(window.locator("#live")).to_have_css("filter", "none", timeout=WAITS_MS)
        # So that the server need not wait for it.
        window.goto("about:blank")


def test_a_page_in_the_background_has_no_stream(window, server):
    window.goto("/")
    live(window, "live")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange'))"
    window.evaluate(hide % "true")
    live(window, "paused")
    window.evaluate(hide % "false")
    live(window, "live")


def test_a_page_of_a_person_who_is_signed_out_shows_the_page_to_sign_in(window, grace):
    window.goto("/")
    live(window, "live")
    gate.switch_off(grace, reason="left", actor=ACTOR, now=timezone.now())
    expect(window).to_have_url(re.compile("/admin/login/"), timeout=WAITS_MS)


def test_a_view_of_ones_own_says_since_when_there_are_new_charges(window, people):
    add_key("nvidia-1", rates=PAID)
    allocation = allocate(now=timezone.now())
    window.route(
        "**/",
        lambda route: route.fulfill(
            body=route.fetch().text().replace("page=overview", "page=overview&amp;own_view"),
            content_type="text/html",
        ),
    )
    window.goto("/")
    live(window, "live")
    news = window.locator("#live-changed")
    expect(news).to_be_hidden()
    report(allocation, 100, now=timezone.now())
    expect(news).to_have_text(re.compile(r"New charges since \d\d:\d\d: refresh"), timeout=WAITS_MS)
    news.click()
    live(window, "live")
    expect(news).to_be_hidden()
