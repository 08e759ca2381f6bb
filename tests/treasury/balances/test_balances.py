"""Providers are asked for balances: what is kept, compared, told and taken over."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import ProgrammingError, transaction

from alerts.models import Alert
from common import addresses
from keys import services as keys
from keys.services import KeyTerms
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import broken, entry
from tests.treasury.fake_vendor import LostError, fake_vendor
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    approve,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import jobs
from treasury import services as treasury
from treasury.models import Account, BalanceAccess, BalanceSnapshot, PurchasePolicy
from treasury.queries.balances_of_credit import told_balance
from treasury.refusals import WrongBalanceAccess
from treasury.services import AccessTerms

pytestmark = pytest.mark.django_db
SECRET = "sk-admin-0000-1111"
LATER = NOON + timedelta(minutes=15)


@pytest.fixture(autouse=True)
def office(settings, people):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        settings.PROVIDER_NETWORKS = addresses.networks(["127.0.0.0/8"])
        make_decider()
        add_payee()
        set_policy()
        fund("1000.00")
        yield server


@pytest.fixture
def provider():
    """DeepSeek's form of answer. `provider.says` is the balance, or a status."""

    def answer(asked):
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, {"error": "no such key"}
        if vendor.says == "lost":
            raise LostError
        if isinstance(vendor.says, int | bytes):
            return (vendor.says, {}) if isinstance(vendor.says, int) else (200, vendor.says)
        line = {"currency": "USD", "total_balance": vendor.says, "granted_balance": "0.00"}
        return 200, {"balance_infos": [line]}

    with fake_vendor(answer) as vendor:
        vendor.says = "0.00"
        yield vendor


def credit():
    return Account.objects.get(name=SIMULATED_CREDIT)


def set_access(provider=None, *, secret=SECRET, **terms):
    terms = {"format": "deepseek", "base_url": provider.url if provider else ""} | terms
    return treasury.set_balance_access(
        credit().pk, AccessTerms(**terms), secret=secret, reason="x", actor=FINN, now=NOON
    )


def take(now=NOON):
    return treasury.take_balance(credit().pk, now=now)


def standing():
    return dict(Alert.objects.unresolved().values_list("kind", "detail"))


def test_what_the_provider_says_is_kept_beside_the_ledger(provider):
    set_access(provider)
    carry_on(propose())
    provider.says = "41.25"
    (row,) = take()
    assert (row.amount, row.ledger, row.in_transit) == (Decimal("41.25"), 40, 0)
    assert (row.provider_id, row.api_key, row.source) == ("openai", "", "deepseek")
    assert json.loads(bytes(row.content))["balance_infos"][0]["total_balance"] == "41.25"
    told = told_balance(credit())
    assert (told.difference, told.is_beyond) == (Decimal("1.25"), True)
    assert told.age_seconds(LATER) == 900
    assert provider.asked[0].path == "/user/balance"


def test_readings_are_append_only(provider):
    set_access(provider)
    (row,) = take()
    for change in (
        lambda: BalanceSnapshot.objects.update(amount=5),
        lambda: BalanceSnapshot.objects.filter(pk=row.pk).delete(),
    ):
        with pytest.raises(ProgrammingError, match="Cannot"), transaction.atomic():
            change()


def test_the_secret_is_sealed_and_sent_to_its_address_alone(provider):
    access, is_new = set_access(provider)
    assert is_new and b"sk-admin" not in bytes(access.sealed)
    assert "sk-admin" not in repr(access.sealed)
    (row,) = take()
    assert b"sk-admin" not in bytes(row.content) and row.error == ""


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (503, "HTTP 503"),
        (302, "HTTP 302"),
        ("lost", "did not answer"),
        (b"<html>", "no JSON"),
        (b'{"balance_infos": []}', "no balance_infos"),
        (b'{"balance_infos": [' + b" " * 1_100_000 + b"]}", "did not answer"),
    ],
)
def test_what_cannot_be_read_is_a_row_that_says_why(provider, says, sentence):
    set_access(provider)
    provider.says = says
    (row,) = take()
    assert row.amount is None and sentence in row.error
    assert told_balance(credit()) is None


def test_three_failures_are_told_until_it_is_read_again(provider):
    set_access(provider)
    provider.says = 503
    for number in range(3):
        assert ("balance_unread" in standing()) is False
        take(NOON + timedelta(minutes=number))
    assert "503" in standing()["balance_unread"]
    provider.says = "0.00"
    take(LATER)
    assert standing() == {}
    assert told_balance(credit()).failed is None


def test_a_difference_is_told_the_second_time_and_resolved_when_both_agree(provider):
    set_access(provider)
    provider.says = "7.00"
    take()
    assert standing() == {}
    take(LATER)
    assert "the ledger 0.00 USD" in standing()["balance_differs"]
    provider.says = "0.50"
    take(LATER + timedelta(minutes=15))
    assert standing() == {}


def test_private_addresses_are_not_called_where_they_are_not_allowed(provider, settings):
    set_access(provider)
    settings.PROVIDER_NETWORKS = []
    (row,) = take()
    assert "did not answer" in row.error and provider.asked == []


def add_key(slug="openai-9", **changes):
    terms = KeyTerms(provider="openai", model="gpt-4o", **changes)
    return keys.add_key(slug, terms=terms, secret=SECRET, actor=ACTOR, now=NOON)


def test_the_secret_of_an_api_key_is_used_for_its_own_address_only(provider):
    add_key(base_url=provider.url + "/v1")
    set_access(provider, secret="", api_key="openai-9")
    (row,) = take()
    assert (row.error, row.api_key) == ("", "openai-9")
    keys.change_key(
        "openai-9",
        changes={"base_url": "https://other.example/v1"},
        secret="sk-other",
        reason="x",
        actor=ACTOR,
        now=NOON,
    )
    (row,) = take()
    assert "no secret" in row.error and len(provider.asked) == 1


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"format": "unicorn"}, "no format"),
        ({"secret": ""}, "Enter a secret"),
        ({"api_key": "openai-9"}, "Enter a secret, or"),
        ({"format": "openrouter", "secret": "", "api_key": "openai-9"}, "for administrators"),
        ({"secret": "", "api_key": "openai-9"}, "sent nowhere else"),
        ({"secret": "", "api_key": "nobody"}, "no API key named"),
        ({"format": "x-ai"}, "id of the team"),
        ({"format": "x-ai", "team": "../../x"}, "letters, digits"),
        ({"format": "simulator", "team": "openai"}, "takes no secret"),
        ({"base_url": "http://example.org"}, "Use https"),
        ({"base_url": "https://169.254.169.254"}, "not a public address"),
    ],
)
def test_access_that_cannot_be_right_is_refused(terms, sentence):
    add_key(base_url="https://api.openai.com/v1")
    with pytest.raises(WrongBalanceAccess, match=sentence):
        set_access(**terms)
    assert not BalanceAccess.objects.exists()


def test_access_is_replaced_and_removed(provider):
    set_access(provider)
    assert set_access(provider, secret="sk-new")[1] is False
    assert "401" in take()[0].error
    assert treasury.remove_balance_access(credit().pk, reason="x", actor=FINN, now=NOON)
    assert not treasury.remove_balance_access(credit().pk, reason="x", actor=FINN, now=NOON)
    assert jobs.take_balances() == 0
    # A job that was queued before.
    jobs.take_balance(credit().pk)


def test_two_persons_take_the_providers_figure_over(provider):
    set_access(provider)
    provider.says = "500.00"
    take()
    approval, _ = treasury.propose_adoption(credit().pk, reason="before", actor=FINN, now=NOON)
    approve(approval)
    assert credit().balance == 500
    assert Account.objects.get(name="opening:usd").balance == 500
    provider.says = "480.00"
    take(LATER)
    approve(treasury.propose_adoption(credit().pk, reason="x", actor=FINN, now=LATER)[0], now=LATER)
    assert (credit().balance, Account.objects.get(name="unexplained:usd").balance) == (480, 20)
    take(LATER)
    with pytest.raises(WrongBalanceAccess, match="does not differ"):
        treasury.propose_adoption(credit().pk, reason="x", actor=FINN, now=LATER)
    assert broken() == []


def test_the_simulator_is_told_what_was_used_and_agrees(office):
    set_access(secret="", format="simulator", team="openai")
    carry_on(propose())
    (row,) = take()
    assert (row.amount, row.ledger, row.error) == (40, 40, "")
    office.vendor.use("openai", "12.50")
    assert office.vendor.credit("openai") == Decimal("27.50")


def test_credit_that_runs_out_is_told_if_nobody_buys_it(monkeypatch):
    fund("30.00", SIMULATED_CREDIT)
    monkeypatch.setattr(
        "treasury.queries.credit.hourly_cost",
        lambda credit, *, since, until: [(until - timedelta(hours=1), Decimal(15))],
    )
    treasury.watch_credit(credit().pk, now=NOON)
    assert standing() == {}
    treasury.pause_policy(credit().pk, reason="x", actor=FINN, now=NOON)
    treasury.watch_credit(credit().pk, now=NOON)
    assert "30.00 USD are left" in standing()["credit_runs_out"]
    with transaction.atomic():
        treasury.transfer([entry(SIMULATED_CREDIT, "funding", "30")], actor=ACTOR, now=NOON)
    treasury.watch_credit(credit().pk, now=NOON)
    assert standing() == {}


def test_a_policy_at_its_bounds_is_told_until_the_pace_is_over():
    set_policy(cool_off_seconds=3600, monthly_max=Decimal(1000))
    now = NOON
    for _ in range(6):
        PurchasePolicy.objects.update(next_at=None)
        carry_on(propose("1.00", now=now), now=now)
        now += timedelta(minutes=61)
    treasury.watch_credit(credit().pk, now=now)
    assert "6 purchases" in standing()["purchases_at_ceiling"]
    treasury.watch_credit(credit().pk, now=now + timedelta(hours=3))
    assert "purchases_at_ceiling" not in standing()
