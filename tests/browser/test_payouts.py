"""A payout in a browser: asked for, approved by a second person, arrived, and its line booked."""

from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.walk import Watch, overflow, violations
from tests.treasury.builders import balances, open_account
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import FINN, make_decider
from tests.treasury.rail_accounts import SETTINGS, add_rail, stand_in, switch_on
from treasury import services as treasury
from treasury.models import Difference, Payout

pytestmark = pytest.mark.django_db(transaction=True)
TRANSIT, BANK = "play-transit:own:usd", "rail:bank"


@pytest.fixture
def stripe(settings, people):
    """A rail with 100.00 and a bank account, and that account, with nothing on it."""
    make_decider()
    vendor = FakeStripe()
    vendor.cents, vendor.began = 0, int(timezone.now().timestamp())
    with vendor.serve():
        stand_in(settings, "stripe", vendor.url)
        card = {"payment_method": "pm_card_visa", "bank_account": "ba_1"}
        switch_on(add_rail(settings=SETTINGS | card))
        treasury.collect("stripe", Decimal(100), purpose="x", actor=FINN, now=timezone.now())
        add_rail("bank")
        open_account(BANK, scale=2)
        yield vendor


def test_a_payout_is_asked_for_approved_and_followed_to_the_bank(
    signed_in, as_olga, live_server, stripe
):
    page = signed_in().new_page()
    watch = Watch(page, live_server.url)
    page.goto("/treasury/rails/stripe")
    act(page, "Pay out", amount="40.00", reason="what is not needed")
    waits = page.get_by_role("status").get_by_role("link", name="approval")
    as_olga.goto(waits.get_attribute("href"))
    act(as_olga, "Approve", reason="as agreed")
    expect(as_olga.get_by_text("It is approved.")).to_be_visible()
    payout = Payout.objects.get()
    assert carry_on(payout) == "accepted"
    stripe.arrive(payout.vendor_id)
    assert carry_on(payout) == "settled"
    page.goto(f"/treasury/payouts/{payout.pk}")
    expect(page.get_by_role("heading", name="the rail has paid it out")).to_be_visible()
    faults = violations(page) + overflow(page)

    # What the statement of the bank has is what was in transit.
    page.goto("/treasury/statements")
    page.get_by_role("link", name="Import a statement").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=account]").select_option(BANK)
    content = f"day,amount,balance\n{timezone.now().date()},40.00,40.00\n".encode()
    file = {"name": "bank.csv", "mimeType": "text/csv", "buffer": content}
    dialog.locator("[name=file]").set_input_files(file)
    dialog.get_by_role("button", name="Import a statement").click()
    expect(page.get_by_text("is kept: 1 line")).to_be_visible()
    page.goto(f"/treasury/reconciliation/{Difference.objects.get(account__name=BANK).pk}")
    act(page, "Book as an own transfer", reason="the payout of Stripe")
    expect(page.get_by_text("The own transfer is booked")).to_be_visible()
    assert (balances(TRANSIT)[0], balances(BANK)[0]) == (0, 40)
    assert "\n".join(faults + watch.faults) == ""


def act(page, button, **fields):
    """Open the dialog of an act, fill it in and send it."""
    page.get_by_role("link", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    for name, value in fields.items():
        dialog.locator(f"[name={name}]").fill(value)
    dialog.get_by_role("button", name=button).click()


def carry_on(payout):
    """Do what the job does; the status after it."""
    payout.refresh_from_db()
    status = treasury.advance_payout(payout.pk, now=timezone.now()).status
    payout.refresh_from_db()
    return status
