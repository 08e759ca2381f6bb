"""Every own page in a browser: for all people, in both themes, from a telephone to a wall."""

import pytest
from django.utils import timezone

from alerts import services as alerts
from dashboard.urls import urlpatterns
from keys import alert_kinds
from keys.models import BooksCheck
from reports import services as reports
from tests.actors import GRACE
from tests.browser.own_pages import NO_PAGES, OWN_PAGES, SIGNED_OUT_PAGES, addresses
from tests.browser.walk import SUM_OF_SHIFTS, Watch, overflow, violations
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db(transaction=True)
WIDTHS = (360, 1440, 2560)
HEIGHT = 900
# 1,440 pixels at 200 %.
ZOOMED = {"width": 720, "height": 450}
JS_BYTES_MAX, CSS_BYTES_MAX = 60_000, 40_000
SHIFT_MAX = 0.02
LOADED = "performance.getEntriesByType('resource').map((each) => [each.name, each.decodedBodySize])"


@pytest.fixture
def fleet(people):
    """Keys, a session that spends, an alert, a note, and a books check that found something."""
    now = timezone.now()
    found = {"check": "3 window-used", "says": "they are equal", "count": 2, "rows": [{"id": "7"}]}
    BooksCheck.objects.create(
        pk=1, night=now, attempt=1, begun_at=now, finished_at=now, checks=9, findings=[found]
    )
    limit(add_key("nvidia-1", per_day=None, rates=PAID), 1_000_000, now=now)
    add_key("nvidia-2")
    report(allocate(tokens=100_000, now=now, auto_rotate=False), 80_000, now=now)
    kind = alert_kinds.KEY_BROKEN
    reports.add_note(noted_on=now.date(), text="Prices rose", actor=GRACE, now=now)
    alerts.raise_alert(kind=kind, dedup_key="nvidia-2", title="Key nvidia-2 is broken", now=now)


def test_every_page_is_walked():
    patterns = {f"dashboard:{pattern.name}" for pattern in urlpatterns}
    assert patterns == OWN_PAGES.keys() | NO_PAGES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_for_all_people_and_quiet(signed_in, live_server, fleet, theme):
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in addresses():
        page.goto(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            faults += violations(page) + overflow(page)
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        faults += violations(page)
    assert "\n".join(faults + watch.faults) == ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_before_the_sign_in_are_so_too(browser, live_server, db, theme):
    with browser.new_context(base_url=live_server.url, color_scheme=theme) as context:
        page = context.new_page()
        watch = Watch(page, live_server.url)
        faults = []
        for path in SIGNED_OUT_PAGES:
            page.goto(path)
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""


def test_an_empty_installation_is_so_too(signed_in, live_server):
    page = signed_in(viewport={"width": 360, "height": HEIGHT}).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in addresses():
        page.goto(path)
        faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""


def test_zoom_forced_colours_and_less_motion_break_nothing(signed_in, live_server, fleet):
    page = signed_in(device_scale_factor=2).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in addresses():
        page.set_viewport_size(ZOOMED)
        page.emulate_media(reduced_motion="no-preference")
        page.goto(path)
        faults += violations(page) + overflow(page)
        page.set_viewport_size({"width": 1280, "height": 720})
        page.emulate_media(forced_colors="active")
        faults += violations(page) + overflow(page)
        page.emulate_media(forced_colors="none", reduced_motion="reduce")
        faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""


def test_less_motion_is_none(signed_in):
    page = signed_in(reduced_motion="reduce").new_page()
    page.goto("/")
    page.locator(".rail a").nth(1).hover()
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_page_loads_little(signed_in):
    page = signed_in().new_page()
    page.goto("/")
    loaded = page.evaluate(LOADED)
    scripts, styles = (
        sum(size for url, size in loaded if url.endswith(ending)) for ending in (".js", ".css")
    )
    assert 0 < scripts < JS_BYTES_MAX
    assert 0 < styles < CSS_BYTES_MAX


def test_nothing_moves_while_a_page_loads(signed_in, fleet):
    page = signed_in(viewport={"width": 1440, "height": HEIGHT}).new_page()
    page.add_init_script(SUM_OF_SHIFTS)
    for path in addresses():
        page.goto(path)
        assert page.evaluate("window.shifts") < SHIFT_MAX, path


def test_the_theme_stays_and_needs_no_script(signed_in):
    page = signed_in("system", java_script_enabled=False).new_page()
    page.goto("/access")
    page.get_by_role("button", name="Change to light").click()
    assert page.url.endswith("/access")
    page.get_by_role("button", name="Change to dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto("/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
