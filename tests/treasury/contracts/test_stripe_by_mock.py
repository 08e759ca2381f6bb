"""Each request of the rail for Stripe, against a server that knows only Stripe's document."""

from datetime import date

import pytest

from tests.treasury.contracts.mock_server import mock_server
from tests.treasury.rails.stripe_rail import order, rail_at
from treasury.rails.base import Outcome


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mock_server("stripe", tmp_path_factory.mktemp("steady")) as running:
        yield running


def test_every_request_is_valid(server):
    card = rail_at(server.url, payment_method="pm_1", customer="cus_1")
    page = rail_at(server.url)
    for rail in (card, page):
        rail.collect(rail.collect_body(order()), key="k-1")
        rail.find("p-1", vendor_id="cs_1")
        rail.find("p-1", vendor_id="pi_1")
        rail.find("p-1")
    card.refund(card.refund_body("pi_1", order()), key="k-2")
    card.find_refund("r-1", vendor_id="re_1", since=None)
    card.find_refund("r-1", vendor_id="", since=None)
    card.payout(card.payout_body(order()), key="k-3")
    card.find_payout("p-1", vendor_id="po_1", since=None)
    card.find_payout("p-1", vendor_id="", since=None)
    assert card.balance() is not None
    assert card.statement(after=0)
    card.fetch_statement(since=date(2026, 11, 2), until=date(2026, 11, 2))
    assert server.diagnostics() == []


def test_what_is_wrong_is_found(server):
    wrong = rail_at(server.url).collect("/v1/payment_intents\namount=x&nonsense=1", key="k-3")
    assert wrong.outcome == Outcome.REFUSED
    said = " ".join(server.diagnostics())
    assert "currency" in said and "Expected type integer" in said and "nonsense" in said
