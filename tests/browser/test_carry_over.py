"""What a day leaves is carried over: set by keyboard, seen on the page and in a refusal."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from keys.models import Agent, CostCentre, Limit, Window
from keys.refusals import LimitReached
from tests.books import assert_books_balance
from tests.browser.test_budget_requests import press
from tests.browser.walk import Watch, overflow, violations
from tests.gateway.server import gateway_on, lend, supply_key
from tests.keys.builders import allocate, limit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def gateway(people, sandbox, settings):
    """The gateway with one key; ada may use 10,000 tokens a day, and its cost centre has limits per
    hour, day and month."""
    supply_key("nvidia-1")
    now = timezone.now()
    limit(Agent.objects.get(pk="ada"), 10_000, now=now)
    research = CostCentre.objects.get(pk="research")
    for unit, period, amount in (
        ("tokens", "hour", 400_000),
        ("tokens", "day", 2_000_000),
        ("tokens", "month", 30_000_000),
        ("usd", "day", 40),
        ("usd", "month", 600),
    ):
        limit(research, amount, unit=unit, period=period, carry_over_max=amount, now=now)
    with gateway_on(sandbox, settings) as running:
        yield running


def turn():
    """The running periods end now."""
    now = timezone.now()
    Window.objects.filter(closed_at=None).update(ends_at=now)


def test_what_a_day_leaves_is_carried_over_by_keyboard_and_into_a_refusal(
    signed_in, live_server, gateway
):
    session = lend(gateway.url, tokens=2_000, auto_rotate=False)
    assert session.call("budget").status == 200
    page = signed_in().new_page()
    watch = Watch(page, live_server.url)
    page.goto("/budgets/agents/ada")
    press(page, page.get_by_role("link", name="Carry over", exact=True))
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Carry over at most").focus()
    faults = violations(page) + overflow(page)
    page.keyboard.press("Control+A")
    page.keyboard.type("6000")
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("unused days add up")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="carries over up to 6,000")).to_be_visible()
    assert Limit.objects.get(agent="ada").carry_over_max == 6_000

    turn()
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=16_000, now=timezone.now())
    assert "is 16,000 (6,000 of it carried over from the last period)" in refusal.value.detail
    assert lend(gateway.url, tokens=11_000).call("budget").status == 200
    page.reload()
    expect(page.get_by_text("6k of it carried over")).to_be_visible()
    expect(page.get_by_role("cell", name="6k", exact=True)).to_be_visible()
    for address in ("/budgets/agents/ada", "/budgets/research", "/budgets?unit=tokens&period=day"):
        page.goto(address)
        for width in (360, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert_books_balance()
    assert "\n".join(faults + watch.faults) == ""
