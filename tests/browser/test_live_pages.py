"""A live page in a browser: what comes disturbs nobody, and the page says whether it is live."""

import os
import re
from datetime import timedelta
from itertools import count
from time import monotonic
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from alerts import services as alerts
from alerts.models import Alert
from gate import services as gate
from keys import alert_kinds
from keys.models import ApiKey
from security.actor import Actor
from tests.dashboard.live_streams import live_page, quick_ticks
from tests.gateway.server import running_gateway
from tests.keys.builders import PAID, add_key, allocate, report
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
UPDATES = 10
# For how long a page is watched at least.
WATCHED_SECONDS = float(os.environ.get("BUTLER_LIVE_SECONDS", "0"))
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


# On a page of Butler's: a link has the focus, words are selected, details are open.
_BE_AT = """() => {
  for (const each of document.querySelectorAll("main .live details")) each.open = true;
  scrollTo(0, 40);
  getSelection().selectAllChildren(document.querySelector("h1"));
  window.link = document.querySelector("main .live a");
  window.link.focus({preventScroll: true});
}"""
_AT = """() => ({
  focused: document.activeElement === window.link, selected: String(getSelection()),
  open: [...document.querySelectorAll("main .live details")].every((each) => each.open),
  scrolled: scrollY, rows: [...document.querySelectorAll(".live-row")].map((each) => each.id),
})"""


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
    end = monotonic() + WATCHED_SECONDS
    wait_until(
        lambda: (
            int(window.locator("#number").text_content()) >= first + UPDATES and monotonic() >= end
        ),
        seconds=WATCHED_SECONDS + 20,
    )
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


@pytest.mark.parametrize(("path", "figures"), [("/", "#month-figures"), ("/keys", "#keys-row-{}")])
def test_nothing_moves_on_a_page_while_an_agent_spends(window, people, path, figures):
    for slug in ("nvidia-1", "nvidia-2"):
        add_key(slug, rates=PAID, per_day=900_000_000)
    allocation = allocate(tokens=500_000_000, now=timezone.now())
    figures = figures.format(allocation.api_key_id)
    report(allocation, 100, now=timezone.now())
    window.goto(path)
    live(window, "live")
    window.evaluate(_BE_AT)
    window.evaluate(_WATCH_SHIFTS)
    before, end, updates = window.evaluate(_AT), monotonic() + WATCHED_SECONDS, 0
    while updates < UPDATES or monotonic() < end:
        shown = window.locator(figures).text_content()
        report(allocation, 1_000, now=timezone.now())
        expect(window.locator(figures)).not_to_have_text(shown, timeout=WAITS_MS)
        updates += 1
    assert window.evaluate(_AT) == before
    assert before["focused"]
    assert before["selected"]
    assert window.evaluate("window.shift") < SHIFT_MAX
    assert window.said == []


def test_rows_stay_where_they_are_and_others_are_told(window, people):
    for slug in ("nvidia-1", "nvidia-2"):
        add_key(slug, rates=PAID)
    report(allocate(now=timezone.now(), provider="nvidia"), 100, now=timezone.now())
    window.goto("/keys")
    live(window, "live")
    rows = window.locator("#keys-table tbody tr")
    expect(rows).to_have_count(1)
    [busy] = window.evaluate(_AT)["rows"]
    idle = {"keys-row-nvidia-1": "nvidia-2", "keys-row-nvidia-2": "nvidia-1"}[busy]
    ApiKey.objects.filter(pk=idle).update(status="broken", status_reason="401")
    alerts.raise_alert(
        kind=alert_kinds.KEY_BROKEN, dedup_key="x", title="Broken", now=timezone.now()
    )
    news = window.locator("#live-changed")
    expect(news).to_have_text(re.compile("Other keys at work since "), timeout=WAITS_MS)
    expect(rows).to_have_count(1)
    news.click()
    expect(rows).to_have_count(2)
    assert window.said == []


def test_what_is_to_decide_is_kept_up_to_date_and_more_of_it_is_told(window, people):
    add_key("nvidia-1")
    kind, began = alert_kinds.KEY_BROKEN, timezone.now() - timedelta(minutes=5)
    first, _ = alerts.raise_alert(kind=kind, dedup_key="1", title="First", now=began)
    window.goto("/")
    live(window, "live")
    row = window.locator(f"#alert-{first.pk}")
    expect(row).to_contain_text("for 5 min")
    Alert.objects.update(raised_at=began - timedelta(minutes=2))
    expect(row).to_contain_text("for 7 min", timeout=WAITS_MS)
    news = window.locator("#live-changed")
    expect(news).to_be_hidden()
    alerts.raise_alert(kind=kind, dedup_key="2", title="Second", now=timezone.now())
    expect(news).to_have_text(re.compile("Decisions changed since "), timeout=WAITS_MS)
    expect(window.get_by_text("Second")).to_have_count(0)
    news.click()
    expect(window.get_by_text("Second")).to_have_count(1)
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
    # She is a superuser, whom only another one or the command line switches off.
    by = Actor.command_line()
    gate.switch_off(grace, reason="left", actor=by, now=timezone.now())
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
