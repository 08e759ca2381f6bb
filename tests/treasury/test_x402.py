"""Payments of agents to services: signed once, within an allowance, with play money only."""

import json
from base64 import b64decode
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from keys import services as keys
from keys.refusals import Frozen, IdempotencyMismatch
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import available, balances, broken
from tests.treasury.purchases import FINN
from tests.treasury.x402 import (
    KEY,
    OTHER,
    RAIL,
    SHOP,
    WALLET,
    allow,
    asked,
    encoded,
    make_wallet,
    offer,
    receipt,
)
from treasury import jobs, refusals
from treasury import services as treasury
from treasury.models import Transfer, X402Allowance, X402Payment
from treasury.rails.x402.addresses import checksummed
from treasury.rails.x402.messages import MessageError, NetworkRefusedError, read_asked, read_receipt
from treasury.rails.x402.networks import NETWORKS
from treasury.rails.x402.signing import Authorization, address_of, digest, private_key, sign

WITH_DATABASE = pytest.mark.django_db


# --- messages and signatures: pure ----------------------------------------------------------------


def test_a_signature_is_that_of_a_known_library():
    """The digest and the signature are those of eth-account 0.14.0 for the same transfer."""
    key = private_key(f"0x{KEY}")
    assert address_of(key) == WALLET
    transfer = Authorization(
        payer=WALLET,
        payee=SHOP,
        value=10_000,
        valid_after=0,
        valid_before=1_740_672_154,
        nonce="0x" + "22" * 32,
    )
    assert digest(NETWORKS[0], transfer).hex() == (
        "e4571af3878b6ef021ec8bdb1672822c386bd94cf84833dc78c1aaa1a14b7f4e"
    )
    assert sign(key, NETWORKS[0], transfer) == (
        "0x539b619eda328caaf639e244cd5cadf32c58c4a66d79814f36705ff0c58382b3"
        "5ca8dbb3389e8f7178d35734e14f25c45670b861fffbdcce53300668b8b3be691c"
    )


@pytest.mark.parametrize("secret", ["", "11", "zz" * 32, "00" * 32, "11" * 33])
def test_a_wrong_key_is_told_without_it(secret):
    with pytest.raises(ValueError, match="64 hexadecimal digits") as refused:
        private_key(secret)
    assert not secret or secret not in str(refused.value)


def test_addresses_have_a_checksum():
    assert checksummed(SHOP.lower().replace("0X", "0x")) == SHOP
    for wrong in ("", "0x12", SHOP[:-1] + "D", SHOP.replace("Bc6a", "bc6a")):
        with pytest.raises(ValueError, match=r"address"):
            checksummed(wrong)


@pytest.mark.parametrize("version", [1, 2])
def test_the_first_offer_that_can_be_paid_is_taken(version):
    real = offer(version, network="eip155:8453" if version == 2 else "base")
    found = read_asked(asked(version, real, {"scheme": "upto"}, offer(version)))
    assert (found.value, found.pay_to, found.amount) == (10_000, SHOP, Decimal("0.01"))
    assert found.resource == "https://shop.example/data"


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "eip155:8453"},
        {"network": "base"},
        {"network": "eip155:1"},
        {"network": 84532},
        {"asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"},
        {"scheme": "upto"},
        {"asset": None},
    ],
)
def test_real_money_and_other_tokens_are_refused(changes):
    with pytest.raises(NetworkRefusedError):
        read_asked(asked(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 10_000},
        {"amount": "-1"},
        {"amount": "0"},
        {"amount": "1e4"},
        {"amount": "9" * 30},
        {"amount": "٣"},
        {"payTo": "merchant"},
        {"payTo": SHOP[:-1] + "D"},
        {"maxTimeoutSeconds": "60"},
        {"maxTimeoutSeconds": True},
        {"maxTimeoutSeconds": 0},
        {"extra": {"name": "Evil", "version": "2"}},
        {"extra": {"assetTransferMethod": "permit2"}},
        {"extra": [1]},
    ],
)
def test_a_402_that_was_tampered_with_is_refused(changes):
    with pytest.raises(MessageError):
        read_asked(asked(**changes))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "not base64",
        encoded([]),
        encoded({"x402Version": 3, "accepts": [offer()]}),
        encoded({"x402Version": True, "accepts": [offer()]}),
        encoded({"x402Version": 2, "accepts": []}),
        encoded({"x402Version": 2, "accepts": [offer()]}),
        encoded({"x402Version": 2, "accepts": [offer()], "resource": {"url": "javascript:1"}}),
        "[" * 5000,
        "x" * 20_001,
    ],
)
def test_what_is_no_402_is_refused(text):
    with pytest.raises(MessageError):
        read_asked(text)
    with pytest.raises(MessageError):
        read_receipt(text)


# --- allowances and payments ----------------------------------------------------------------------


@pytest.fixture
def wallet(people):
    make_wallet()


def pay(text=None, *, key="k-1", agent="ada", now=NOON):
    return treasury.sign_payment(agent, text or asked(), idempotency_key=key, actor=ACTOR, now=now)


def settle(payment, text=None, *, agent="ada", now=NOON):
    return treasury.settle_payment(payment.pk, text or receipt(), agent=agent, actor=ACTOR, now=now)


@WITH_DATABASE
@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_is_set_aside_signed_and_settled_by_its_receipt(wallet, version):
    payment, is_new = pay(asked(version))
    assert is_new and (payment.status, payment.amount) == ("signed", Decimal("0.01"))
    assert balances(RAIL) == (1, Decimal("0.99"))
    sent = json.loads(b64decode(payment.header))
    authorization = sent["payload"]["authorization"]
    assert (authorization["to"], authorization["value"]) == (SHOP, "10000")
    assert authorization["validBefore"] == str(int(NOON.timestamp()) + 60)
    assert sent["accepted" if version == 2 else "scheme"] == (offer() if version == 2 else "exact")
    payment = settle(payment)
    assert (payment.status, payment.transaction) == ("settled", "0x12ab")
    assert settle(payment).settled_at == NOON
    assert balances("expense:x402:research") == (Decimal("0.01"), Decimal("0.01"))
    history = AuditEntry.objects.about(payment.address).values_list("action", flat=True)
    assert set(history) == {"x402.sign", "x402.settle"}
    assert (balances(RAIL), broken()) == ((Decimal("0.99"), Decimal("0.99")), [])


@WITH_DATABASE
def test_handed_in_twice_it_is_signed_once_byte_for_byte(wallet):
    """Also if the program was killed after the signature, before its answer."""
    first, _ = pay()
    again, is_new = pay(now=NOON + timedelta(days=3))
    assert not is_new and (again.pk, again.header) == (first.pk, first.header)
    with pytest.raises(IdempotencyMismatch):
        pay(asked(amount="10001"))
    assert X402Payment.objects.count() == 1 and available(RAIL) == Decimal("0.99")


@WITH_DATABASE
def test_what_breaks_off_while_it_signs_leaves_nothing(wallet, monkeypatch):
    def killed(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("treasury.services.x402_payments.header_value", killed)
        with pytest.raises(KeyboardInterrupt):
            pay()
    assert available(RAIL) == 1 and not X402Payment.objects.exists()
    assert pay()[1]


@WITH_DATABASE
def test_bounds_payees_and_agents(wallet):
    with pytest.raises(refusals.PaymentLimitReached, match="in one payment"):
        pay(asked(amount="20001"))
    for number in range(2):
        pay(asked(amount="20000"), key=f"k-{number}")
    with pytest.raises(refusals.PaymentLimitReached, match="today") as refused:
        pay(asked(amount="10001"), key="k-3")
    assert refused.value.left == Decimal("0.01")
    with pytest.raises(refusals.PaymentNotAllowed, match="not among"):
        pay(asked(payTo=OTHER), key="k-4")
    with pytest.raises(refusals.PaymentNotAllowed, match="may not pay"):
        pay(agent="bob")
    with pytest.raises(refusals.PaymentNetworkRefused):
        pay(asked(network="eip155:8453"), key="k-5")
    for hour in (24, 25):
        pay(asked(amount="20000"), key=f"h-{hour}", now=NOON + timedelta(hours=hour))
    pay(asked(amount="10000"), key="h-48", now=NOON + timedelta(days=2))
    with pytest.raises(refusals.PaymentLimitReached, match="this month"):
        pay(asked(amount="20000"), key="d-3", now=NOON + timedelta(days=3))
    assert broken() == []


@WITH_DATABASE
def test_a_frozen_agent_pays_nothing(wallet):
    keys.freeze("agent:ada", reason="x", actor=ACTOR, now=NOON)
    with pytest.raises(Frozen):
        pay()


@WITH_DATABASE
def test_a_wallet_that_is_off_signs_nothing(wallet):
    treasury.switch_rail_off("wallet", reason="x", actor=FINN, now=NOON)
    with pytest.raises(refusals.RailOff):
        pay()


@WITH_DATABASE
def test_unused_it_is_given_back_and_a_late_receipt_counts(wallet):
    payment, _ = pay()
    assert settle(payment, receipt(False, errorReason="insufficient_funds")).status == "signed"
    assert treasury.expire_payments(now=NOON + timedelta(minutes=5)) == 0
    assert treasury.expire_payments(now=NOON + timedelta(minutes=7)) == 1
    assert (balances(RAIL), jobs.expire_x402_payments()) == ((1, 1), 0)
    late = settle(payment, now=NOON + timedelta(hours=1))
    assert (late.status, balances(RAIL)) == ("settled", (Decimal("0.99"), Decimal("0.99")))
    assert Transfer.objects.filter(kind="service", phase="single").count() == 1
    assert broken() == []


@WITH_DATABASE
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        receipt(network="eip155:1"),
        receipt(payer=OTHER),
        receipt(transaction=""),
        encoded({"success": "yes", "network": "eip155:84532"}),
    ],
)
def test_a_receipt_of_something_else_is_refused(wallet, text):
    payment, _ = pay()
    with pytest.raises(refusals.WrongPaymentMessage):
        settle(payment, text)
    with pytest.raises(refusals.PaymentNotFound):
        settle(payment, agent="bob")


@WITH_DATABASE
@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "nobody"},
        {"rail": "none"},
        {"payees": []},
        {"payees": ["0x12"]},
        {"per_payment_max": Decimal(0)},
        {"daily_max": Decimal("0.01")},
        {"monthly_max": Decimal("NaN")},
        {"per_payment_max": Decimal("0.0000001")},
    ],
)
def test_wrong_allowances_are_refused(wallet, changes):
    with pytest.raises(refusals.WrongAllowance):
        allow(**changes)


@WITH_DATABASE
def test_the_database_keeps_bounds_payees_and_bytes(wallet):
    payment, _ = pay()
    copy = X402Payment.objects.get(pk=payment.pk)
    copy.pk, copy.idempotency_key, copy.nonce = None, "k-2", "0x" + "33" * 32
    for changes in ({"amount": Decimal(1)}, {"pay_to": OTHER}, {"network": "eip155:1"}):
        for name, value in changes.items():
            setattr(copy, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            copy.save(force_insert=True)
    with pytest.raises(DatabaseError), transaction.atomic():
        X402Payment.objects.filter(pk=payment.pk).update(header="x")
    with pytest.raises(DatabaseError), transaction.atomic():
        X402Allowance.objects.update(daily_max=Decimal(1))
