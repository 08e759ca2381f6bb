"""A cost centre is moved and closed on a telephone: what follows is shown, then confirmed."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from keys.models import Agent, CostCentre
from tests.books import assert_books_balance
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import add_key, allocate, report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PAGE = "/settings/cost-centres"


def test_what_follows_is_shown_before_a_cost_centre_moves_and_closes(
    signed_in, live_server, people
):
    now = timezone.now()
    add_key("nvidia-1", per_day=None)
    report(allocate(tokens=5_000, now=now), 70, now=now)
    page = signed_in("dark", viewport={"width": 360, "height": 800}).new_page()
    watch, faults = Watch(page, live_server.url), []

    def look() -> None:
        faults.extend(violations(page) + overflow(page))

    page.goto(f"{PAGE}?act=move-research")
    look()
    page.get_by_label("Below").select_option("sales")
    page.get_by_label("Reason").fill("merged")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("This ends 1 open session with 4,930 tokens left")).to_be_visible()
    look()
    page.get_by_label("I have read what follows").check()
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("is at org / sales / research from now on")).to_be_visible()
    look()

    page.goto("/agents/ada?act=move")
    page.get_by_label("Cost centre that pays from now on").select_option("org")
    page.get_by_label("Reason").fill("new team")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("Nothing is open.")).to_be_visible()
    look()
    page.get_by_label("I have read what follows").check()
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("org pays for the agent ada from now on.")).to_be_visible()

    page.goto(f"{PAGE}?act=close-sales")
    page.get_by_label("Reason").fill("merged")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Cost centres that close: 2.")).to_be_visible()
    look()
    page.get_by_label("I have read what follows").check()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("The cost centre sales is closed.")).to_be_visible()
    look()

    assert set(CostCentre.objects.exclude(closed_at=None).values_list("pk", flat=True)) == {
        "research",
        "sales",
    }
    assert Agent.objects.get(disabled_at=None).pk == "ada"
    assert_books_balance()
    assert "\n".join(faults + watch.faults) == ""
