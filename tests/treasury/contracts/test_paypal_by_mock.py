"""Each documented request of the rail for PayPal, against a server that knows only the document."""

import pytest

from tests.moments import NOON
from tests.treasury.contracts.mock_server import mock_server
from tests.treasury.rails.paypal_rail import paypal_rail
from tests.treasury.rails.stripe_rail import order
from treasury.rails.paypal.token import AccessToken


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mock_server("paypal", tmp_path_factory.mktemp("steady")) as running:
        yield running


def test_every_request_is_valid(server, monkeypatch):
    # The document has no tokens.
    monkeypatch.setattr(AccessToken, "get", lambda self: ("token", None))
    rail = paypal_rail(server.url)
    rail.collect(rail.collect_body(order()), key="k-1")
    rail.find("p-1", vendor_id="5O190127TN364715T")
    rail.capture("5O190127TN364715T", key="k-1")
    assert server.diagnostics() == []
    rail.collect('/v2/checkout/orders\n{"intent": "GIVE"}', key="k-2")
    assert "purchase_units" in " ".join(server.diagnostics())


def test_every_request_for_a_statement_is_valid(tmp_path, monkeypatch):
    monkeypatch.setattr(AccessToken, "get", lambda self: ("token", None))
    with mock_server("paypal_reporting", tmp_path) as running:
        rail = paypal_rail(running.url)
        rail.fetch_statement(since=NOON.date(), until=NOON.date())
        rail._report("/v1/reporting/balances", [("as_of_time", "2026-03-10T23:59:59Z")])
        assert running.diagnostics() == []
        rail._report("/v1/reporting/transactions", [("page", "0")])
        assert "start_date" in " ".join(running.diagnostics())
