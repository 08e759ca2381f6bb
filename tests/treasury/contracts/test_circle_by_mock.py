"""Each request of the rail for Circle Mint, against a server that knows only Circle's document."""

from uuid import UUID

import pytest

from tests.moments import NOON
from tests.treasury.contracts.fake_circle import BANK
from tests.treasury.contracts.mock_server import mock_server
from tests.treasury.rails.circle_rails import KEY, mint_rail, order
from tests.treasury.rails.test_circle import PAYEES


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mock_server("circle", tmp_path_factory.mktemp("steady")) as running:
        yield running


def test_every_request_is_valid(server):
    rail = mint_rail(server.url)
    for payee in PAYEES:
        rail.pay(rail.body(order(payee=payee)), key=KEY)
    rail.find(KEY, vendor_id=KEY)
    assert rail.balance() is not None
    rail.statement(after=1_767_225_600)
    rail.payout(rail.payout_body(order(payee=BANK)), key=KEY)
    rail.find_payout(KEY, vendor_id=KEY, since=None)
    rail.fetch_statement(since=NOON.date(), until=NOON.date())
    rail.deposit_address("ETH", key=UUID(KEY))
    assert server.diagnostics() == []
