"""Circle: what the rails send is valid by its document, and what Circle answers is understood."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.contracts import fake_circle
from tests.treasury.contracts.documents import document
from tests.treasury.contracts.fake_circle import ADDRESS, BANK, KEY_ID, TOPIC, FakeCircle
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
from tests.treasury.rail_accounts import stand_in, switch_on
from tests.treasury.rails.circle_rails import (
    KEY,
    add_mint,
    add_wallets,
    connection,
    mint_rail,
    order,
    wallets_rail,
)
from treasury import services as treasury
from treasury.models import Account, Purchase
from treasury.rails.base import Outcome
from treasury.rails.circle_mint import answers, sns
from treasury.rails.circle_mint.webhook import CircleMintWebhooks
from treasury.rails.circle_wallets import webhook as circle_webhook
from treasury.rails.circle_wallets.rail import TESTNETS
from treasury.rails.circle_wallets.webhook import CircleWebhooks
from treasury.rails.http import Reply
from treasury.rails.webhooks import Delivery, Reason, WebhookRejected
from treasury.refusals import PurchaseEnded, WrongPayee, WrongPurchase

PAYEES = [f"transfer:{ADDRESS}", f"payout:wire:{BANK}", f"payout:sepa:{BANK}"]
SINCE = datetime(2026, 3, 14, 11, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    vendor = FakeCircle()
    with vendor.serve():
        yield vendor


@pytest.fixture
def vendor(server):
    server.clear()
    return server


@pytest.fixture
def mint(vendor):
    return mint_rail(vendor.url)


@pytest.fixture
def wallets(vendor):
    return wallets_rail(vendor.url)


@pytest.mark.parametrize("payee", PAYEES)
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", Outcome.ACCEPTED),
        ("complete", Outcome.SETTLED),
        ("failed", Outcome.DECLINED),
        ("something", Outcome.UNKNOWN),
    ],
)
def test_each_status_of_mint_is_understood(mint, vendor, payee, status, outcome):
    vendor.next_state = status
    answer = mint.pay(mint.body(order(payee=payee)), key=KEY)
    assert (answer.outcome, answer.amount) == (outcome, Decimal("12.30"))
    assert mint.find(KEY, vendor_id=answer.vendor_id, since=SINCE) == answer


def test_the_same_key_is_the_same_payment(mint, vendor):
    body = mint.body(order())
    vendor.faults = ["lost_answer", "500", "429"]
    lost = [mint.pay(body, key=KEY).outcome for _ in range(3)]
    assert lost == [Outcome.UNKNOWN] * 3
    # Circle looks no keys up, so the same key is sent again.
    assert mint.find(KEY, since=SINCE).outcome == Outcome.ABSENT
    assert mint.pay(body, key=KEY).outcome == Outcome.ACCEPTED
    assert len(vendor.payments) == 1
    other = mint.pay(mint.body(order("99.00")), key=KEY)
    assert (other.outcome, other.code) == (Outcome.UNKNOWN, "409")


def test_what_the_bank_returns_had_left_before(mint, vendor):
    answer = mint.pay(mint.body(order(payee=PAYEES[1])), key=KEY)
    vendor.payments[answer.vendor_id] |= {"status": "failed", "errorCode": "transaction_returned"}
    returned = mint.find(KEY, vendor_id=answer.vendor_id)
    assert (returned.outcome, returned.is_reversed) == (Outcome.SETTLED, True)


@pytest.mark.parametrize("payee", ["", "0xbeef", "transfer:", "payout:x", "a:b:c:d"])
def test_a_destination_of_another_form_is_refused_before_anything_is_sent(mint, vendor, payee):
    sent = len(vendor.sent)
    answer = mint.pay(mint.body(order(payee=payee)), key=KEY)
    if payee != "transfer:":
        assert (answer.outcome, answer.code) == (Outcome.REFUSED, "wrong_destination")
        assert len(vendor.sent) == sent
    vendor.problems.clear()


def test_balance_statement_and_deposit_address(mint, vendor):
    assert mint.balance() == 1000 and mint.problem() == ""
    assert mint.deposit_address("ETH", key=UUID(KEY)) == "0xfeed"
    vendor.next_state = "complete"
    mint.pay(mint.body(order()), key=KEY)
    (line,) = mint.statement(after=int(SINCE.timestamp()))
    assert (line.amount, line.kind, line.at) == (
        Decimal("-12.30"),
        "transfer",
        SINCE + timedelta(hours=1),
    )
    wrong = mint_rail("http://127.0.0.1:9")
    assert wrong.balance() is None and wrong.statement(after=0) is None
    assert "no_connection" in wrong.problem()
    assert wrong.find(KEY, vendor_id="x").outcome == Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(status=400, body={"code": 2, "message": "Invalid entity."}), Outcome.REFUSED),
        (Reply(status=400, body={"code": -1, "message": "Something went wrong."}), Outcome.UNKNOWN),
        (Reply(status=401, body={"code": 401, "message": "x"}), Outcome.REFUSED),
        (Reply(status=403), Outcome.REFUSED),
        (Reply(status=404), Outcome.REFUSED),
        (Reply(status=409), Outcome.UNKNOWN),
        (Reply(status=429), Outcome.UNKNOWN),
        (Reply(status=500), Outcome.UNKNOWN),
        (Reply(status=None, problem="timeout"), Outcome.UNKNOWN),
        (Reply(status=201, body={"data": []}), Outcome.UNKNOWN),
        (Reply(status=201, body={}), Outcome.UNKNOWN),
        (Reply(status=201, body={"data": {"id": "1", "status": []}}), Outcome.UNKNOWN),
    ],
)
def test_only_a_definite_no_is_one(reply, outcome):
    assert answers.answer_of_payment(reply).outcome == outcome


def test_every_documented_status_and_error_has_an_outcome():
    schemas = document("circle")._whole["components"]["schemas"]
    assert set(schemas["PayoutStatus"]["enum"]) == set(answers._STATUSES)
    assert set(schemas["Transfer"]["properties"]["status"]["enum"]) <= set(answers._STATUSES)
    for name in ("PayoutErrorCode", "TransferErrorCode"):
        codes = schemas[name]["anyOf"][0]["enum"]
        for code in codes:
            data = {"id": "1", "status": "failed", "errorCode": code}
            data["amount"] = {"amount": "1.00", "currency": "USD"}
            answer = answers.answer_of_payment(Reply(status=200, body={"data": data}))
            returned = code == "transaction_returned"
            assert answer.outcome == (Outcome.SETTLED if returned else Outcome.DECLINED)
            assert answer.code == code


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        *[(state, Outcome.ACCEPTED) for state in ("INITIATED", "QUEUED", "SENT", "CONFIRMED")],
        *[(state, Outcome.ACCEPTED) for state in ("CLEARED", "STUCK")],
        ("COMPLETE", Outcome.SETTLED),
        *[(state, Outcome.DECLINED) for state in ("FAILED", "DENIED", "CANCELLED")],
        ("SOMETHING_NEW", Outcome.UNKNOWN),
    ],
)
def test_each_state_of_wallets_is_understood(wallets, vendor, state, outcome):
    vendor.next_state = state
    answer = wallets.pay(wallets.body(order("1.000001", payee="0xbeef")), key=KEY)
    assert answer.outcome == outcome
    found = wallets.find(KEY, since=SINCE)
    assert (found.outcome, found.vendor_id, found.amount) == (
        outcome,
        answer.vendor_id,
        Decimal("1.000001"),
    )


def test_the_entity_secret_is_encrypted_anew_and_stored_nowhere(wallets, vendor):
    body = wallets.body(order(payee="0xbeef"))
    assert fake_circle.ENTITY_SECRET not in body and "entitySecretCiphertext" not in body
    vendor.faults = ["lost_answer"]
    assert wallets.pay(body, key=KEY).outcome == Outcome.UNKNOWN
    assert wallets.pay(body, key=KEY).outcome == Outcome.ACCEPTED
    assert len(vendor.payments) == 1 and len(set(vendor.ciphertexts)) == 2


def test_a_payment_is_found_among_many_by_the_purchase(wallets, vendor):
    for number in range(120):
        purchase = str(UUID(int=5000 + number, version=4))
        wallets.pay(wallets.body(order("1.00", payee="0xbeef", purchase=purchase)), key=purchase)
    first = str(UUID(int=5000, version=4))
    assert wallets.find(first, since=SINCE).amount == 1
    assert wallets.find(KEY, since=SINCE).outcome == Outcome.ABSENT
    assert wallets_rail("http://127.0.0.1:9").find(KEY).outcome == Outcome.UNKNOWN


def test_the_balance_is_that_of_the_token(wallets, vendor):
    assert wallets.balance() == Decimal("25.5") and wallets.problem() == ""
    assert "testnet" in wallets_rail(vendor.url, blockchain="ETH").problem()


def test_without_the_public_key_nothing_is_sent(vendor):
    wrong = wallets_rail("http://127.0.0.1:9")
    assert wrong.pay(wrong.body(order(payee="0xbeef")), key=KEY).code == "no_public_key"
    assert "no_connection" in wrong.problem() and wrong.balance() is None


def test_the_faucet_pays_play_money_on_testnets_only(wallets, vendor):
    assert wallets.drip().outcome == Outcome.ACCEPTED
    assert vendor.drips == [
        {"address": "0xcafe", "blockchain": "ETH-SEPOLIA", "usdc": True, "native": True}
    ]
    for rail in (wallets_rail(vendor.url, blockchain="ETH"), _live(vendor)):
        assert (rail.drip().outcome, rail.drip().code) == (Outcome.REFUSED, "no_testnet")
    assert len(vendor.drips) == 1
    assert all("-" in name for name in TESTNETS)


def _live(vendor):
    rail = wallets_rail(vendor.url)
    rail.is_play_money = False
    return rail


def mint_webhooks(monkeypatch, **changes):
    """Webhooks of Mint, and what was fetched from Amazon."""
    fetched = []

    def fetch(host, path):
        fetched.append(f"{host}{path}")
        return fake_circle.amazon_certificate()

    sns._kept.clear()
    monkeypatch.setattr(sns, "fetch", fetch)
    settings = {"topic": TOPIC} | changes
    return CircleMintWebhooks(connection("https://x.example", **settings)), fetched


def rejected(webhooks, body, headers=None):
    """Why it is rejected."""
    delivery = Delivery(body=body, headers=headers or {}, received_at=NOON)
    with pytest.raises(WebhookRejected) as found:
        webhooks.verify(delivery)
    return found.value.reason


def event(**changes):
    return fake_circle.mint_event("evt-1", kind="transfers", at=NOON.timestamp(), **changes)


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_of_amazons_signatures_are_checked(monkeypatch, version):
    webhooks, fetched = mint_webhooks(monkeypatch)
    body = event(SignatureVersion=version)
    for _ in range(2):
        webhooks.verify(Delivery(body=body, headers={}, received_at=NOON))
    assert len(fetched) == 1
    told = webhooks.read(body)
    assert (told.event_id, told.kind, told.vendor_ids) == ("evt-1", "transfers", ("t-1",))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem",
        "https://mallory.example/SimpleNotificationService-0123456789ab.pem",
        "https://sns.us-east-1.amazonaws.com.mallory.example/SimpleNotificationService-0123456789ab.pem",
        "https://sns.us-east-1.amazonaws.com@mallory.example/SimpleNotificationService-0123456789ab.pem",
        "https://x@sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem",
        "https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-0123456789ab.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem",
        "https://s3.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem",
        "https://sns.us-east-1.amazonaws.com/../SimpleNotificationService-0123456789ab.pem",
        "https://sns.us-east-1.amazonaws.com/mallory.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem?x=1",
        "https://169.254.169.254/SimpleNotificationService-0123456789ab.pem",
        "https://[::1/SimpleNotificationService-0123456789ab.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_certificate_is_fetched_from_another_host(monkeypatch, url):
    webhooks, fetched = mint_webhooks(monkeypatch)
    assert rejected(webhooks, event(SigningCertURL=url)) == Reason.CERTIFICATE
    assert fetched == []


def test_a_signature_of_amazon_for_another_topic_is_worth_nothing(monkeypatch):
    webhooks, fetched = mint_webhooks(monkeypatch)
    other = TOPIC.replace("908968368384", "111111111111")
    assert rejected(webhooks, event(TopicArn=other)) == Reason.SIGNATURE
    assert fetched == []
    assert rejected(mint_webhooks(monkeypatch, topic="")[0], event()) == Reason.NO_SECRET
    assert rejected(mint_webhooks(monkeypatch, topic="x")[0], event(TopicArn="x")) == (
        Reason.NO_SECRET
    )


def test_a_certificate_that_has_expired_or_is_none_is_not_believed(monkeypatch):
    webhooks, _ = mint_webhooks(monkeypatch)
    later = NOON + timedelta(days=2)
    body = fake_circle.mint_event("evt-1", kind="x", at=later.timestamp())
    with pytest.raises(WebhookRejected) as found:
        webhooks.verify(Delivery(body=body, headers={}, received_at=later))
    assert found.value.reason == Reason.CERTIFICATE
    sns._kept.clear()
    monkeypatch.setattr(sns, "fetch", lambda host, path: b"<html>")
    assert rejected(webhooks, event()) == Reason.CERTIFICATE


@pytest.mark.parametrize(
    "changes", [{"Type": "Other"}, {"SignatureVersion": "3"}, {"Timestamp": "yesterday"}]
)
def test_an_envelope_that_is_none_is_rejected(monkeypatch, changes):
    webhooks, _ = mint_webhooks(monkeypatch)
    envelope = json.loads(event()) | changes
    assert rejected(webhooks, json.dumps(envelope).encode()) == Reason.HEADERS
    for body in (b"", b"[]", b"{}", b"\xff", b"[" * 99_000):
        assert rejected(webhooks, body) == Reason.HEADERS


def confirmation(url):
    changes = {"Type": "SubscriptionConfirmation", "Token": "t/../o k&n", "SubscribeURL": url}
    return event(Message="You have chosen to subscribe.", **changes)


def test_a_subscription_is_confirmed_at_amazon_and_nowhere_else(monkeypatch):
    webhooks, fetched = mint_webhooks(monkeypatch)
    body = confirmation("https://sns.us-east-1.amazonaws.com/?Action=Anything&Token=other")
    webhooks.verify(Delivery(body=body, headers={}, received_at=NOON))
    # The address is put together from the pinned topic and the token.
    assert fetched[1] == (
        "sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3A"
        "us-east-1%3A908968368384%3Asandbox_platform-notifications-topic&Token=t%2F..%2Fo+k%26n"
    )
    assert webhooks.read(body).kind == "SubscriptionConfirmation"
    for url in ("https://mallory.example/", "http://sns.us-east-1.amazonaws.com/", "x", ""):
        assert rejected(webhooks, confirmation(url)) == Reason.CERTIFICATE
    assert len(fetched) == 2


def wallet_webhooks(vendor):
    circle_webhook._kept.clear()
    return CircleWebhooks(connection(vendor.url))


def test_circles_public_key_is_fetched_once(vendor):
    webhooks = wallet_webhooks(vendor)
    body = fake_circle.wallet_event("evt-1", kind="transactions.outbound", at=NOON.timestamp())
    headers = {name.lower(): each for name, each in fake_circle.wallet_headers(body).items()}
    before = len(vendor.sent)
    for _ in range(3):
        webhooks.verify(Delivery(body=body, headers=headers, received_at=NOON))
    assert [each.path for each in vendor.sent[before:]] == [f"/v2/notifications/publicKey/{KEY_ID}"]
    told = webhooks.read(body)
    assert (told.kind, told.vendor_ids) == ("transactions.outbound", ("t-1",))


@pytest.mark.parametrize(
    ("key_id", "reason"),
    [
        ("../../v1/w3s/wallets", Reason.HEADERS),
        ("https://mallory.example/key", Reason.HEADERS),
        ("", Reason.HEADERS),
        (str(UUID(int=99, version=4)), Reason.CERTIFICATE),
    ],
)
def test_an_id_that_is_no_key_of_circles_is_rejected(vendor, key_id, reason):
    body = fake_circle.wallet_event("evt-1", kind="x", at=NOON.timestamp())
    headers = fake_circle.wallet_headers(body, key_id=key_id)
    headers = {name.lower(): each for name, each in headers.items()}
    before = len(vendor.sent)
    assert rejected(wallet_webhooks(vendor), body, headers) == reason
    assert len(vendor.sent) - before == (1 if reason == Reason.CERTIFICATE else 0)


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-03-14T12:00:00", "5"])
def test_a_notification_without_its_moment_is_rejected(vendor, timestamp):
    body = json.dumps({"notificationId": "x", "timestamp": timestamp}).encode()
    headers = {name.lower(): each for name, each in fake_circle.wallet_headers(body).items()}
    assert rejected(wallet_webhooks(vendor), body, headers) == Reason.HEADERS


@pytest.fixture
def paying(server, settings, people):
    """Both rails are on, and call the fake."""
    server.clear()
    for kind in ("circle-mint", "circle-wallets"):
        stand_in(settings, kind, server.url)
    make_decider()
    switch_on(add_mint())
    switch_on(add_wallets())
    return server


@pytest.mark.django_db
def test_mint_pays_once_and_a_person_sees_the_credit(paying):
    add_payee(rail="mint", destination=PAYEES[0])
    set_policy(is_automatic=False)
    fund("1000.00", "rail:mint")
    paying.faults = ["lost_answer"]
    purchase = carry_on(propose())
    assert purchase.status == "accepted" and len(paying.payments) == 1
    paying.payments[purchase.vendor_id]["status"] = "complete"
    purchase = carry_on(purchase, now=NOON + timedelta(minutes=5))
    assert purchase.status == "settled"
    confirm = {"receipt": "R-1", "actor": FINN, "now": NOON + timedelta(minutes=6)}
    treasury.confirm_purchase(purchase.pk, **confirm)
    with pytest.raises(PurchaseEnded):
        treasury.confirm_purchase(purchase.pk, **confirm)
    assert Account.objects.get(name=SIMULATED_CREDIT).balance == 40
    assert Purchase.objects.get().status == "credited"
    assert broken() == []


@pytest.mark.django_db
def test_money_that_came_back_is_no_credit(paying):
    add_payee(rail="mint", destination=PAYEES[1])
    set_policy(is_automatic=False)
    fund("1000.00", "rail:mint")
    purchase = carry_on(propose())
    paying.payments[purchase.vendor_id] |= {
        "status": "failed",
        "errorCode": "transaction_returned",
    }
    purchase = carry_on(purchase, now=NOON + timedelta(minutes=5))
    assert purchase.reversed_at and Account.objects.get(name="rail:mint").balance == 1000
    with pytest.raises(WrongPurchase, match="come back"):
        treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=FINN, now=NOON)
    assert broken() == []


@pytest.mark.django_db
def test_rails_are_filled_by_the_faucet_or_by_an_address(paying, capsys):
    call_command("fill_rail", "wallets")
    call_command("fill_rail", "mint", "--chain", "ETH")
    said = capsys.readouterr().out
    assert "play money" in said and "Send USDC on ETH to 0xfeed." in said
    assert len(paying.drips) == 1
    paying.faults = ["429"]
    with pytest.raises(CommandError, match="429"):
        call_command("fill_rail", "wallets")
    with pytest.raises(CommandError, match="no rail|No rail"):
        call_command("fill_rail", "nobody")


@pytest.mark.django_db
def test_credit_in_dollars_is_not_bought_with_another_currency(paying):
    add_payee(rail="mint", destination=PAYEES[0])
    with pytest.raises(WrongPayee, match="USD, and wallets pays USDC"):
        add_payee("coins", rail="wallets", destination="0xbeef")
