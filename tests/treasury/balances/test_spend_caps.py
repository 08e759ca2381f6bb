"""The limit that a provider keeps itself: read, set by two persons, and watched."""

import json
from decimal import Decimal

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from alerts.models import Alert
from common import addresses
from tests.moments import NOON
from tests.queue import drain_queue
from tests.treasury.fake_vendor import LostError, fake_vendor
from tests.treasury.purchases import FINN, SIMULATED_CREDIT, add_payee, approve, make_decider
from tests.treasury.simulator import simulator
from treasury import jobs
from treasury import services as treasury
from treasury.balances.caps import CAP_FORMATS, Cap
from treasury.models import Account, SpendCap
from treasury.refusals import WrongSpendCap
from treasury.vendor_calls import Unreadable

ORGANISATION = {
    "id": "spl_1",
    "amount": "50000",
    "currency": "USD",
    "is_enabled": True,
    "period": "monthly",
    "scope": {"type": "organization"},
}


@pytest.mark.parametrize(
    ("slug", "answer", "cap"),
    [
        (
            "openai",
            {
                "object": "organization.spend_limit",
                "currency": "USD",
                "interval": "month",
                "threshold_amount": 12345,
                "enforcement": {"status": "enforcing"},
            },
            Cap(Decimal("123.45"), is_enforced=True),
        ),
        (
            "anthropic",
            {
                "data": [
                    ORGANISATION | {"scope": {"type": "workspace"}, "amount": "1"},
                    ORGANISATION | {"period": "daily", "amount": "2"},
                    ORGANISATION,
                ]
            },
            Cap(Decimal(500), is_enforced=True),
        ),
        (
            "anthropic",
            {"data": [ORGANISATION | {"amount": None, "is_enabled": False}]},
            Cap(None, is_enforced=False),
        ),
        ("anthropic", {"data": []}, Cap(None, is_enforced=False)),
    ],
)
def test_each_provider_is_understood(slug, answer, cap):
    assert CAP_FORMATS[slug].read(answer) == cap


@pytest.mark.parametrize(
    ("slug", "answer"),
    [
        ("openai", {}),
        ("openai", {"currency": "EUR", "interval": "month"}),
        ("openai", {"currency": "USD", "interval": "month", "enforcement": {"status": "x"}}),
        ("anthropic", {}),
        ("anthropic", {"data": {}}),
        ("anthropic", {"data": ["x"]}),
        ("anthropic", {"data": [ORGANISATION | {"currency": None}]}),
        ("anthropic", {"data": [ORGANISATION | {"amount": []}]}),
    ],
)
def test_what_is_none_is_no_limit(slug, answer):
    with pytest.raises(Unreadable):
        CAP_FORMATS[slug].read(answer)


@pytest.fixture
def provider():
    """OpenAI with one limit; `provider.fault` is what its answer to a change is."""

    def answer(asked):
        if asked.headers.get("authorization") != "Bearer sk-admin-1234567890":
            return 401, {}
        if asked.method == "POST":
            if vendor.fault == "lost":
                vendor.cents = asked.json["threshold_amount"]
                raise LostError
            if vendor.fault:
                return vendor.fault, {}
            assert asked.json == json.loads(asked.body)
            vendor.cents = asked.json["threshold_amount"]
        if vendor.cents is None:
            return 404, {}
        return 200, {
            "currency": "USD",
            "interval": "month",
            "threshold_amount": vendor.cents,
            "enforcement": {"status": "inactive"},
        }

    with fake_vendor(answer) as vendor:
        vendor.cents, vendor.fault = None, None
        yield vendor


@pytest.fixture
def office(settings, people, provider, db):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        settings.PROVIDER_NETWORKS = addresses.networks(["127.0.0.0/8"])
        make_decider()
        add_payee()
        account = Account.objects.get(name=SIMULATED_CREDIT)
        set_access(account, provider)
        yield account


def set_access(account, provider, **changes):
    terms = {
        "format_name": "openai",
        "base_url": provider.url,
        "secret": "sk-admin-1234567890",
    } | changes
    return treasury.set_cap_access(account.pk, reason="x", actor=FINN, now=NOON, **terms)


def set_cap(account, amount):
    approval = treasury.propose_cap(
        account.pk, Decimal(amount), reason="a second fence", actor=FINN, now=NOON
    )
    approve(approval)


def standing():
    return dict(Alert.objects.unresolved().values_list("kind", "detail"))


def test_without_a_wish_it_is_only_read(office, provider):
    cap = treasury.keep_cap(office.pk, now=NOON)
    assert (cap.told, cap.wanted, cap.error) == (None, None, "")
    provider.cents = 5000
    assert treasury.keep_cap(office.pk, now=NOON).told == 50
    assert [each.method for each in provider.asked] == ["GET", "GET"] and standing() == {}


@pytest.mark.django_db(transaction=True)
def test_what_two_persons_set_is_set_at_the_provider_and_again_if_somebody_changes_it(
    office, provider
):
    set_cap(office, "250.50")
    drain_queue()
    assert provider.cents == 25_050 and SpendCap.objects.get().told == Decimal("250.50")
    provider.cents = 99_900
    assert jobs.keep_caps() == 1
    assert provider.cents == 25_050 and standing() == {}
    before = len(provider.asked)
    jobs.keep_caps()
    assert len(provider.asked) == before + 1


@pytest.mark.parametrize(("fault", "why"), [(403, "HTTP 403"), (500, "HTTP 500")])
def test_a_provider_that_takes_none_is_told_to_people(office, provider, fault, why):
    provider.fault = fault
    set_cap(office, "250.00")
    treasury.keep_cap(office.pk, now=NOON)
    assert why in standing()["spend_cap_differs"] and "250.00" in standing()["spend_cap_differs"]
    # Somebody sets it in the provider's console.
    provider.cents = 25_000
    treasury.keep_cap(office.pk, now=NOON)
    assert standing() == {}


def test_a_lost_answer_is_found_by_reading(office, provider):
    provider.fault = "lost"
    set_cap(office, "10.00")
    cap = treasury.keep_cap(office.pk, now=NOON)
    assert cap.told == 10 and cap.error
    assert treasury.keep_cap(office.pk, now=NOON).error == "" and standing() == {}


def test_a_wrong_key_sets_nothing(office, provider):
    set_access(office, provider, secret="sk-wrong")
    set_cap(office, "10.00")
    assert "HTTP 401" in treasury.keep_cap(office.pk, now=NOON).error
    assert provider.cents is None and "spend_cap_differs" in standing()


def test_one_person_sets_no_limit_whatever_program_asks(office):
    for change in ({"wanted": 5}, {"wanted": 5, "approved_persons": ["finn"]}):
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            SpendCap.objects.update(**change)
    assert SpendCap.objects.get().wanted is None


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN"])
def test_a_limit_that_cannot_be_right_is_refused(office, amount):
    with pytest.raises(WrongSpendCap):
        treasury.propose_cap(office.pk, Decimal(amount), reason="x", actor=FINN, now=NOON)


def test_access_that_cannot_be_right_is_refused(office, provider):
    for changes in (
        {"format_name": "mistral"},
        {"secret": ""},
        {"base_url": "http://example.org"},
    ):
        with pytest.raises(WrongSpendCap):
            set_access(office, provider, **changes)
