"""The Treasury in a browser: a person buys credit, and follows the money down to the charges."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.models import Account, Purchase, PurchasePolicy

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(settings, people):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        make_decider()
        add_payee()
        set_policy()
        fund("1000.00")
        yield server


def test_credit_is_bought_and_followed_down_to_the_charges(signed_in, office):
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate(tokens=90_000), 80_000)
    treasury.post_consumption(Account.objects.get(name=SIMULATED_CREDIT), now=NOON)
    page = signed_in().new_page()
    page.goto("/treasury")
    page.get_by_role("link", name="buys by itself").click()
    page.get_by_role("link", name="Buy credit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Amount").fill("40.00")
    dialog.get_by_label("Reason").fill("agents must not stop")
    dialog.get_by_role("button", name="Buy credit").click()
    expect(page.get_by_text(re.compile("Purchase .* is under way"))).to_be_visible()
    carry_on(Purchase.objects.get())
    page.goto("/treasury")
    page.get_by_role("link", name=str(Purchase.objects.get().pk), exact=True).click()
    expect(page.get_by_role("heading", name="credited")).to_be_visible()
    page.get_by_role("link", name="Treasury").last.click()
    page.get_by_role("link", name=SIMULATED_CREDIT).first.click()
    # From the credit to the charges in one more click.
    page.get_by_role("link", name=re.compile("openai-1 research")).click()
    expect(page.get_by_role("table")).to_contain_text("openai-1")
    # The one charge is the whole figure: 80,000 tokens at $0.003 for a thousand.
    expect(page.get_by_role("table")).to_contain_text("$0.24")


def read_credit(account_id):
    """The simulator says what it has, and a part of the credit will end."""
    terms = treasury.AccessTerms(format="simulator", team="openai")
    set_by = {"reason": "x", "actor": FINN, "now": NOON}
    treasury.set_balance_access(account_id, terms, secret="", **set_by)
    treasury.take_balance(account_id, now=NOON)
    treasury.record_expiring_credit(
        account_id,
        Decimal(25),
        expires_at=NOON + timedelta(days=20),
        is_granted=True,
        reference="voucher 7",
        actor=FINN,
        now=NOON,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_for_all_people(signed_in, live_server, office, theme):
    office.faults.plan({"kind": "action"})
    purchase = carry_on(propose())
    policy = PurchasePolicy.objects.get().pk
    account = Account.objects.get(name="rail:simulator").pk
    credit = Account.objects.get(name=SIMULATED_CREDIT).pk
    read_credit(credit)
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in (
        "/treasury",
        "/treasury?act=policy",
        f"/treasury/purchases/{purchase.pk}",
        f"/treasury/purchases/{purchase.pk}?act=confirm",
        f"/treasury/policies/{policy}",
        f"/treasury/accounts/{account}",
        f"/treasury/accounts/{credit}",
        f"/treasury/accounts/{credit}?act=expiring",
    ):
        page.goto(path)
        for width in (360, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
