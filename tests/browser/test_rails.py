"""Rails in a browser: a vendor is connected, and the pages work for all people."""

from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.walk import Watch, overflow, violations
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import FINN, make_decider
from tests.treasury.rail_accounts import add_rail, stand_in, switch_on
from treasury import services as treasury
from treasury.models import Collection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vendor(settings, people):
    make_decider()
    stripe = FakeStripe()
    with stripe.serve():
        stand_in(settings, "stripe", stripe.url)
        yield stripe


def test_a_vendor_is_connected_and_tested(signed_in, vendor):
    page = signed_in().new_page()
    page.goto("/treasury")
    page.get_by_role("link", name="Rails").click()
    page.get_by_role("link", name="Connect Stripe").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Secret:", exact=True).fill("sk_test_fake")
    dialog.get_by_label("Return address").fill("https://butler.example.com/treasury")
    dialog.get_by_role("button", name="Connect Stripe").click()
    expect(page.get_by_role("heading", name="stripe off play money")).to_be_visible()
    page.get_by_role("link", name="Test connection").click()
    page.get_by_role("dialog").get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The vendor answers, and takes the secret.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_for_all_people(signed_in, live_server, vendor, theme):
    switch_on(add_rail())
    treasury.collect(
        "stripe", Decimal(12), purpose="Funds for agents", actor=FINN, now=timezone.now()
    )
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in (
        "/treasury/rails",
        "/treasury/rails?act=connect-stripe",
        "/treasury/rails/stripe",
        "/treasury/rails/stripe?act=off",
        f"/treasury/collections/{Collection.objects.get().pk}",
    ):
        page.goto(path)
        for width in (360, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
