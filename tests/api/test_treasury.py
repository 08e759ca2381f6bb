"""The organisation's money by the API, for tokens with the scope `finance`."""

from base64 import b64decode
from decimal import Decimal

import pytest

from tests.actors import ACTOR
from tests.api.caller import Caller, assert_problem, token_of
from tests.moments import NOON
from tests.treasury.builders import CREDIT, FUNDING, RAIL, entry, open_accounts, transfer
from tests.treasury.purchases import (
    SIMULATED_CREDIT,
    SIMULATED_RAIL,
    add_payee,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.receipts import PDF, add_receipt, waiting_purchase
from treasury import services as treasury

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance(people):
    """Reads money, as carol."""
    return Caller(token_of("carol", "finance"))


@pytest.fixture
def office(people, settings):
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    make_decider()
    add_payee()
    set_policy()
    fund("1000.00")
    fund("90.00", SIMULATED_CREDIT)


def test_refunds_name_what_they_are_of(finance):
    make_decider()
    purchase = waiting_purchase()
    treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=ACTOR, now=NOON)
    terms = {"reason": "too much", "actor": ACTOR, "now": NOON}
    first, second = (
        treasury.ask_refund(Decimal(amount), purchase_id=purchase.pk, **terms) for amount in (2, 3)
    )
    treasury.cancel_refund(second.pk, reason="no", actor=ACTOR, now=NOON)
    answer = finance.get("/treasury/refunds", status="approved").json()
    (row,) = answer["results"]
    assert (row["id"], row["purchase"], row["collection"]) == (first.pk, purchase.pk, None)
    assert (row["amount"], row["origin"], row["transfer"]) == ("2.000000000", "asked", None)
    page = finance.get("/treasury/refunds", limit=1).json()
    assert page["results"][0]["id"] == second.pk and page["next_cursor"]


def test_accounts_have_their_balances_and_pages(office, finance):
    first = finance.get("/treasury/accounts", limit=2).json()
    names = [row["name"] for row in first["results"]]
    rest = finance.get("/treasury/accounts", cursor=first["next_cursor"]).json()["results"]
    assert len(names) == 2 and not {*names} & {row["name"] for row in rest}
    (rail,) = finance.get("/treasury/accounts", kind="rail").json()["results"]
    assert (rail["name"], rail["balance"], rail["available"]) == (
        SIMULATED_RAIL,
        "1000.000000000",
        "1000.000000000",
    )


def test_transfers_are_those_of_an_account_and_of_days(finance):
    open_accounts()
    transfer(entry(RAIL, FUNDING, 100))
    transfer(entry(CREDIT, RAIL, 40, reference="R-1"))
    found = finance.get("/treasury/transfers", account=CREDIT).json()["results"]
    assert [(row["debit"], row["credit"], row["amount"]) for row in found] == [
        (CREDIT, RAIL, "40.000000000")
    ]
    assert finance.get("/treasury/transfers", account="rail:none").json()["results"] == []
    page = finance.get("/treasury/transfers", limit=1).json()
    assert page["results"][0]["reference"] == "R-1"
    rest = finance.get("/treasury/transfers", cursor=page["next_cursor"]).json()
    assert [row["debit"] for row in rest["results"]] == [RAIL]
    day = NOON.date().isoformat()
    assert len(finance.get("/treasury/transfers", since=day, until=day).json()["results"]) == 2
    assert not finance.get("/treasury/transfers", until="2020-01-01").json()["results"]
    assert_problem(finance.get("/treasury/transfers", account="' OR 1=1"), 422, "invalid_request")


def test_purchases_are_those_of_a_status_and_a_provider(office, finance):
    propose("40.00")
    (row,) = finance.get("/treasury/purchases", status="approved", provider="openai").json()[
        "results"
    ]
    assert (row["amount"], row["payee"], row["is_play_money"]) == ("40.000000000", "openai", True)
    assert not finance.get("/treasury/purchases", status="credited").json()["results"]
    assert not finance.get("/treasury/purchases", provider="mistral").json()["results"]


def test_credit_has_its_runway(office, finance):
    (credit,) = finance.get("/treasury/credit").json()["results"]
    assert (credit["account"], credit["balance"], credit["days"]) == (
        SIMULATED_CREDIT,
        "90.000000000",
        None,
    )


def test_no_agent_sees_money_without_the_scope(office):
    operator = Caller(token_of("bob", "read", "spend", "operate"))
    for path in ("accounts", "transfers", "purchases", "credit"):
        assert_problem(operator.get(f"/treasury/{path}"), 403, "scope_missing")


def test_receipts_have_their_content(finance):
    make_decider()
    receipt, _ = add_receipt(waiting_purchase())
    (row,) = finance.get(f"/treasury/purchases/{receipt.purchase_id}/receipts").json()["results"]
    assert (row["id"], row["sha256"]) == (receipt.pk, receipt.sha256)
    whole = finance.get(f"/treasury/receipts/{receipt.pk}").json()
    assert b64decode(whole.pop("content")) == PDF and whole == row
    for path, code in (("purchases/0/receipts", "purchase"), ("receipts/0", "receipt")):
        assert_problem(finance.get(f"/treasury/{path}"), 404, f"{code}_not_found")
