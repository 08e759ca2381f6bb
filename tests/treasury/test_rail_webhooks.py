"""Webhooks of rails: what comes in, for each rail, and what follows."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from tests.moments import NOON
from tests.queue import drain_queue
from tests.treasury.contracts import fake_circle, fake_paypal, fake_stripe
from tests.treasury.rail_accounts import WEBHOOK_SECRET, add_paypal, add_rail
from tests.treasury.rails.circle_rails import add_mint, add_wallets
from treasury import jobs
from treasury import services as treasury
from treasury.models import RailAccount, RailEvent, RejectedWebhooks
from treasury.rails.circle_mint import sns
from treasury.rails.circle_mint import webhook as circle_mint_webhook
from treasury.rails.circle_wallets import webhook as circle_webhook
from treasury.rails.paypal import certificates
from treasury.rails.paypal.webhook import PAST
from treasury.rails.webhooks import BODY_BYTES_MAX
from treasury.services.rail_events import read_event

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Sender:
    """A vendor as it sends webhooks: the body of an event, and the headers that sign it."""

    add: Callable[[], RailAccount]
    body: Callable[..., bytes]
    sign: Callable[[bytes, float], dict[str, str]]
    # How old it may be.
    past: timedelta = timedelta(minutes=5)
    # Whether the signature is over the bytes of the body, or over what it says.
    is_of_bytes: bool = True
    has_time_in_body: bool = False
    unsigned: Callable[[bytes], bytes] = lambda body: body


def _stripe_body(event_id: str, kind: str, at: float = NOON.timestamp()) -> bytes:
    return fake_stripe.event(event_id, {"id": "pi_1", "metadata": {}}, kind=kind)


def _paypal_body(event_id: str, kind: str, at: float = NOON.timestamp()) -> bytes:
    return fake_paypal.event(event_id, {"id": "CAPTURE-1"}, kind=kind)


def _paypal_sign(body: bytes, at: float, **changes: str) -> dict[str, str]:
    return fake_paypal.authority().sign(body, webhook_id="WH-1", at=at, **changes)


def _mint_body(event_id: str, kind: str, at: float = NOON.timestamp()) -> bytes:
    return fake_circle.mint_event(event_id, kind=kind, at=at)


def _wallet_body(event_id: str, kind: str, at: float = NOON.timestamp()) -> bytes:
    return fake_circle.wallet_event(event_id, kind=kind, at=at)


def _without_signature(body: bytes) -> bytes:
    envelope = json.loads(body)
    del envelope["Timestamp"]
    return json.dumps(envelope).encode()


SENDERS = {
    "stripe": Sender(
        add=add_rail,
        body=_stripe_body,
        sign=lambda body, at: fake_stripe.signed(body, secret=WEBHOOK_SECRET, at=at),
    ),
    "paypal": Sender(add=add_paypal, body=_paypal_body, sign=_paypal_sign, past=PAST),
    "circle-mint": Sender(
        add=add_mint,
        body=_mint_body,
        sign=lambda body, at: {},
        past=circle_mint_webhook.PAST,
        is_of_bytes=False,
        has_time_in_body=True,
        unsigned=_without_signature,
    ),
    "circle-wallets": Sender(
        add=add_wallets,
        body=_wallet_body,
        sign=lambda body, at: fake_circle.wallet_headers(body),
        past=circle_webhook.PAST,
        has_time_in_body=True,
    ),
}


@pytest.fixture(params=SENDERS)
def sender(request) -> Sender:
    return SENDERS[request.param]


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    """At noon, with the certificates and keys of vendors that are trusted."""
    monkeypatch.setattr(certificates, "fetch", lambda url: fake_paypal.authority().pem())
    wallets_key = fake_circle.webhook_key().public_key()
    monkeypatch.setattr(circle_webhook.CircleWebhooks, "_fetch", lambda self, key_id: wallets_key)
    monkeypatch.setattr(sns, "fetch", lambda host, path: fake_circle.amazon_certificate())
    monkeypatch.setattr(certificates, "trusted_roots", lambda: (fake_paypal.authority().root,))
    with time_machine.travel(NOON, tick=False):
        yield


def send(account: RailAccount, body: bytes, headers: dict[str, str]):
    return Client().post(
        f"/webhooks/{account.webhook_key}",
        body,
        content_type="application/json",
        headers=headers,
    )


def statuses() -> list[str]:
    return list(RailEvent.objects.order_by("pk").values_list("status", flat=True))


def reasons() -> dict[str, int]:
    return dict(RejectedWebhooks.objects.values_list("reason", "count"))


def test_a_good_one_is_stored_and_read_by_a_job(sender):
    account, body = sender.add(), sender.body("evt_1", "known")
    assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 200
    assert statuses() == ["received"]
    drain_queue()
    event = RailEvent.objects.get()
    assert (event.status, event.event_id, bytes(event.body)) == ("unrelated", "evt_1", body)


def test_one_whose_type_nobody_knows_is_stored_as_well(sender):
    account, body = sender.add(), sender.body("evt_1", "something.new")
    assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 200
    drain_queue()
    assert statuses() == ["unrelated"] and RailEvent.objects.get().kind == "something.new"


def test_one_that_was_changed_on_its_way_is_rejected_without_being_read(sender):
    account, body = sender.add(), sender.body("evt_1", "known")
    headers = sender.sign(body, NOON.timestamp())
    answer = send(account, body.replace(b"evt_1", b"evt_2"), headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_refused")
    assert (statuses(), reasons()) == ([], {"signature": 1})
    if sender.is_of_bytes:
        assert send(account, body + b" ", headers).status_code == 400
        assert reasons() == {"signature": 2}


@pytest.mark.parametrize(("seconds", "reason"), [(-1, "stale"), (1, "future")])
def test_one_of_another_time_is_rejected(sender, seconds, reason):
    account = sender.add()
    bound = sender.past if seconds < 0 else timedelta(minutes=5)
    at = NOON.timestamp() + seconds * (bound.total_seconds() + 2)
    body = sender.body("evt_1", "known", at)
    assert send(account, body, sender.sign(body, at)).status_code == 400
    assert (statuses(), reasons()) == ([], {reason: 1})
    within = NOON.timestamp() + seconds * (bound.total_seconds() - 2)
    body = sender.body("evt_1", "known", within)
    assert send(account, body, sender.sign(body, within)).status_code == 200


def test_one_that_is_replayed_is_handled_once(sender):
    account, body = sender.add(), sender.body("evt_1", "known")
    headers = sender.sign(body, NOON.timestamp())
    assert [send(account, body, headers).status_code for _ in range(3)] == [200, 200, 200]
    # The same event in other bytes.
    other = body + b"\n"
    assert send(account, other, sender.sign(other, NOON.timestamp())).status_code == 200
    drain_queue()
    assert statuses() == ["unrelated", "repeated"]


def test_they_may_come_in_any_order(sender):
    account = sender.add()
    for number in (3, 1, 2):
        body = sender.body(f"evt_{number}", "known")
        assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 200
    drain_queue()
    assert statuses() == ["unrelated"] * 3


def test_an_oversized_one_is_rejected(sender):
    account = sender.add()
    body = sender.body("evt_1", "x" * BODY_BYTES_MAX)
    assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 400
    assert (statuses(), reasons()) == ([], {"too_large": 1})


def test_one_without_its_headers_is_rejected(sender):
    account, body = sender.add(), sender.body("evt_1", "known")
    assert send(account, sender.unsigned(body), {}).status_code == 400
    assert reasons() == {"headers": 1}


def test_vendors_look_whether_the_address_is_right(sender):
    account = sender.add()
    path = f"/webhooks/{account.webhook_key}"
    client = Client()
    assert client.head(path).status_code == 200
    answer = client.get(path)
    assert (answer.status_code, answer["Allow"]) == (405, "POST, HEAD")
    unknown = "/webhooks/00000000-0000-4000-8000-000000000000"
    assert client.head(unknown).status_code == 404
    assert client.head("/webhooks/1").status_code == 404
    assert client.post(unknown, b"{}", content_type="application/json").status_code == 404
    assert (statuses(), reasons()) == ([], {})


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": 1', b"\xff", b'{"data": {"object": []}}'])
def test_a_signed_one_that_is_no_event_is_kept(sender, body):
    account = sender.add()
    if sender.has_time_in_body:
        # Without its moment it is not even a webhook.
        assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 400
        assert (statuses(), reasons()) == ([], {"headers": 1})
        return
    assert send(account, body, sender.sign(body, NOON.timestamp())).status_code == 200
    drain_queue()
    assert statuses() == ["unreadable"]


def test_without_a_secret_nothing_is_believed():
    account = add_rail(webhook_secret="")
    body = _stripe_body("evt_1", "known")
    headers = fake_stripe.signed(body, secret="", at=NOON.timestamp())
    assert send(account, body, headers).status_code == 400
    assert reasons() == {"no_secret": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PayPal-Cert-Url": "https://mallory.example/v1/notifications/certs/C"}, "certificate"),
        ({"PayPal-Auth-Algo": "MD5withRSA"}, "headers"),
        ({"PayPal-Transmission-Id": "other"}, "signature"),
        ({"PayPal-Transmission-Sig": "bm8="}, "signature"),
        ({"PayPal-Transmission-Sig": "é"}, "headers"),
        ({"PayPal-Transmission-Time": "2026-03-10T12:00:00"}, "headers"),
        ({"PayPal-Transmission-Time": "noon"}, "headers"),
        ({"PayPal-Transmission-Time": "2026-03-10T12:00:01Z"}, "signature"),
    ],
)
def test_what_paypal_would_not_send_is_rejected(changes, reason):
    account, body = add_paypal(), _paypal_body("evt_1", "known")
    headers = _paypal_sign(body, NOON.timestamp(), **changes)
    assert send(account, body, headers).status_code == 400
    assert (statuses(), reasons()) == ([], {reason: 1})


def test_a_webhook_of_another_app_of_paypal_is_rejected():
    account, body = add_paypal(), _paypal_body("evt_1", "known")
    headers = fake_paypal.authority().sign(body, webhook_id="WH-2", at=NOON.timestamp())
    assert send(account, body, headers).status_code == 400
    assert reasons() == {"signature": 1}


@pytest.mark.parametrize(
    "header",
    ["t=,v1=aa", "v1=aa", "t=1", "t=x,v1=aa", "t=٣,v1=aa", "t=" + "9" * 12 + ",v1=é", ",,", "t=-1"],
)
def test_headers_that_make_no_sense_are_rejected(header):
    account = add_rail()
    answer = send(account, b"{}", {"Stripe-Signature": header})
    assert answer.status_code == 400 and statuses() == []


def test_two_signatures_while_a_secret_is_rolled():
    account, body = add_rail(), _stripe_body("evt_1", "known")
    at = NOON.timestamp()
    old = fake_stripe.signed(body, secret="whsec_old", at=at)["Stripe-Signature"]
    new = fake_stripe.signed(body, secret=WEBHOOK_SECRET, at=at)["Stripe-Signature"]
    both = f"{old},{new.partition(',')[2]}"
    assert send(account, body, {"Stripe-Signature": both}).status_code == 200


def test_a_job_that_was_lost_is_made_up_for():
    account, body = add_rail(), _stripe_body("evt_1", "known")
    signed = fake_stripe.signed(body, secret=WEBHOOK_SECRET, at=NOON.timestamp())
    sent = {"body": body, "headers": signed, "now": NOON}
    assert treasury.receive_webhook(str(account.webhook_key), **sent)
    assert not treasury.receive_webhook(str(account.webhook_key), **sent)
    assert jobs.read_events() == 0
    with time_machine.travel(NOON + timedelta(minutes=2)):
        assert jobs.read_events() == 1
        assert jobs.read_events() == 0
    event = RailEvent.objects.get()
    assert read_event(event.pk, now=NOON).status == "unrelated"
