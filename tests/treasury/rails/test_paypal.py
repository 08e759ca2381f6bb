"""PayPal: what the rail sends is valid by its document, and what PayPal answers is understood."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.moments import NOON
from tests.treasury.contracts.documents import document
from tests.treasury.contracts.fake_paypal import CERT_URL, FakePayPal, authority
from tests.treasury.rails.paypal_rail import paypal_rail
from tests.treasury.rails.stripe_rail import order
from treasury.rails.base import Mode, Outcome
from treasury.rails.http import Reply
from treasury.rails.paypal import answers, certificates, token
from treasury.rails.webhooks import Reason, WebhookRejected


@pytest.fixture(scope="module")
def server() -> Iterator[FakePayPal]:
    vendor = FakePayPal()
    with vendor.serve():
        yield vendor


@pytest.fixture
def vendor(server: FakePayPal) -> FakePayPal:
    server.clear()
    token._kept.clear()
    return server


def collect(vendor: FakePayPal, *, key: str = "k-1", purchase: str = "p-1"):
    rail = paypal_rail(vendor.url)
    return rail.collect(rail.collect_body(order(purchase=purchase)), key=key)


def paid(vendor: FakePayPal):
    asked = collect(vendor)
    vendor.agree(asked.vendor_id)
    return paypal_rail(vendor.url).capture(asked.vendor_id, key="k-1")


def test_the_payer_agrees_and_butler_captures(vendor):
    rail = paypal_rail(vendor.url)
    asked = collect(vendor)
    assert asked.outcome == Outcome.ACTION and not asked.is_approved
    assert asked.action_url.startswith("https://www.sandbox.paypal.com/checkoutnow?token=ORDER-")
    assert rail.capture(asked.vendor_id, key="k-1").outcome == Outcome.ACTION
    vendor.keys.clear()
    vendor.agree(asked.vendor_id)
    agreed = rail.find("p-1", vendor_id=asked.vendor_id)
    assert agreed.outcome == Outcome.ACTION and agreed.is_approved
    captured = rail.capture(asked.vendor_id, key="k-1")
    assert (captured.outcome, captured.amount) == (Outcome.SETTLED, Decimal("12.30"))
    assert captured.settled_id.startswith("CAPTURE-")
    assert rail.find("p-1", vendor_id=asked.vendor_id) == captured
    assert rail.capture(asked.vendor_id, key="k-1") == captured


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("PENDING", Outcome.ACCEPTED),
        ("DECLINED", Outcome.DECLINED),
        ("FAILED", Outcome.DECLINED),
        ("INSTRUMENT_DECLINED", Outcome.DECLINED),
    ],
)
def test_a_capture_that_brings_no_money_now(vendor, status, outcome):
    vendor.capture_status = status
    assert paid(vendor).outcome == outcome


def test_the_same_request_id_and_bytes_are_the_same_order(vendor):
    first = collect(vendor)
    assert collect(vendor) == first
    assert len(vendor.orders) == 1
    other = collect(vendor, purchase="p-2")
    assert (other.outcome, other.code) == (Outcome.UNKNOWN, "DUPLICATE_REQUEST_ID")


@pytest.mark.parametrize(
    "fault", ["lost_request", "lost_answer", "500", "503", "409", "429", "408"]
)
def test_what_says_nothing_is_unknown_and_the_same_request_finds_out(vendor, fault):
    vendor.faults = ["", fault]  # the token comes first
    assert collect(vendor).outcome == Outcome.UNKNOWN
    assert paypal_rail(vendor.url).find("p-1").outcome == Outcome.ABSENT
    assert collect(vendor).outcome == Outcome.ACTION
    assert len(vendor.orders) == 1


def test_a_lost_answer_to_a_capture_is_read_from_the_order(vendor):
    asked = collect(vendor)
    vendor.agree(asked.vendor_id)
    vendor.faults = ["lost_answer"]
    captured = paypal_rail(vendor.url).capture(asked.vendor_id, key="k-1")
    assert captured.outcome == Outcome.SETTLED


def test_a_token_is_kept_until_paypal_takes_it_no_more(vendor):
    collect(vendor)
    collect(vendor, key="k-2", purchase="p-2")
    asked = [sent for sent in vendor.sent if sent.path == "/v1/oauth2/token"]
    assert len(asked) == 1
    vendor.tokens.clear()
    assert collect(vendor, key="k-3", purchase="p-3").outcome == Outcome.ACTION
    assert len([sent for sent in vendor.sent if sent.path == "/v1/oauth2/token"]) == 2


def test_a_wrong_secret_and_no_answer_at_all(vendor):
    rail = paypal_rail(vendor.url, secret="wrong")  # noqa: S106
    problem = "PayPal answers invalid_client: Client Authentication failed"
    assert rail.problem() == problem
    assert rail.collect(rail.collect_body(order()), key="k").outcome == Outcome.REFUSED
    assert paypal_rail(vendor.url).problem() == ""
    lost = paypal_rail("http://127.0.0.1:1")
    assert lost.problem() == "PayPal answers no_connection"
    assert lost.collect(lost.collect_body(order()), key="k").outcome == Outcome.UNKNOWN


def test_refunds(vendor):
    rail, captured = paypal_rail(vendor.url), paid(vendor)
    body = rail.refund_body(captured.settled_id, order("2.30", purchase="r-1"))
    first = rail.refund(body, key="r-1")
    assert (first.outcome, first.amount) == (Outcome.SETTLED, Decimal("2.30"))
    assert rail.refund(body, key="r-1") == first
    assert rail.find_refund("r-1", vendor_id=first.vendor_id, since=None) == first
    assert rail.find_refund("r-1", vendor_id="", since=None).outcome == Outcome.ABSENT
    more = rail.refund(rail.refund_body(captured.settled_id, order("10.01")), key="r-2")
    assert (more.outcome, more.code) == (Outcome.REFUSED, "REFUND_AMOUNT_EXCEEDED")
    assert rail.find("p-1", vendor_id=captured.vendor_id).outcome == Outcome.SETTLED


def test_a_refund_is_checked_by_what_the_document_has_of_refunds(vendor):
    """The document is that of orders. It has no operation that refunds a capture, so neither path
    nor method can be checked; but it has the refunds that an order shows, and by these the members
    of the body and the answer are."""
    whole = document("paypal")
    assert not [path for _, path, _ in whole.operations() if "refund" in path]
    schemas = whole._whole["components"]["schemas"]
    rail, captured = paypal_rail(vendor.url), paid(vendor)
    body = rail.refund_body(captured.settled_id, order("2.30", purchase="r-1"))
    content = body.split("\n", 1)[1]
    known = set(schemas["refund"]["allOf"][1]["properties"])
    assert set(json.loads(content)) <= known and not problems("refund", json.loads(content))
    wrong = {"amount": {"value": "2,30"}, "custom_id": "x" * 128}
    assert len(problems("refund", wrong)) == 3
    rail.refund(body, key="r-1")
    (refund,) = vendor.refunds.values()
    assert not problems("refund", refund)
    statuses = schemas["refund_status"]["properties"]["status"]["enum"]
    assert set(statuses) == set(answers._REFUNDS)


def problems(schema: str, value) -> list[str]:
    """What the document says against an object of this name."""
    return document("paypal")._problems({"$ref": f"#/components/schemas/{schema}"}, value)


def test_every_documented_error_has_an_outcome():
    """And those that decline, or that wait for the payer, are in the document."""
    found = {}
    for method, path, operation in document("paypal").operations():
        for status, response in operation["responses"].items():
            if not status.startswith(("4", "5")):
                continue
            for issue in {*document("paypal").values_of(response, "issue"), "SOMETHING_NEW"}:
                body = {"name": "X", "details": [{"issue": issue, "description": "x"}]}
                reply = Reply(status=int(status), body=body)
                found[(method, path, status, issue)] = answers.answer_of_error(reply).outcome
    assert len(found) > 150
    by_issue = {place[3]: outcome for place, outcome in found.items()}
    assert set(answers._DECLINED) <= set(by_issue)
    assert set(answers._PAYER_FIRST) <= set(by_issue)
    unknown = {place[3] for place, outcome in found.items() if outcome == Outcome.UNKNOWN}
    assert unknown == {"ORDER_ALREADY_CAPTURED", "ORDER_COMPLETION_IN_PROGRESS", "SOMETHING_NEW"}
    assert found["post", "/v2/checkout/orders", "422", "SOMETHING_NEW"] == Outcome.REFUSED


def test_every_documented_status_has_an_outcome():
    schemas = document("paypal")._whole["components"]["schemas"]
    assert set(schemas["order_status"]["enum"]) == set(answers._ORDERS)
    captures = schemas["capture_status"]["properties"]["status"]["enum"]
    assert set(captures) == set(answers._CAPTURES)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1",  # of the other mode
        "https://mallory.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com.mallory.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com@mallory.example/v1/notifications/certs/CERT-1",
        "https://mallory@api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/../../x",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?x=1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1#x",
        "https://169.254.169.254/v1/notifications/certs/CERT-1",
        "https://[::1/v1/notifications/certs/CERT-1",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_is_fetched_from_paypals_own_hosts_only(url, monkeypatch):
    monkeypatch.setattr(certificates, "fetch", lambda each: pytest.fail(f"{each} was fetched"))
    with pytest.raises(WebhookRejected) as rejected:
        certificates.public_key(url, mode=Mode.SANDBOX, now=NOON)
    assert rejected.value.reason == Reason.CERTIFICATE


@pytest.mark.parametrize("wrong", ["owner", "root", "time", "bytes", "nothing"])
def test_a_certificate_must_be_paypals_at_this_moment(wrong, monkeypatch):
    certificates._kept.clear()
    good, other = authority(), authority("messages.mallory.example")
    served = {"owner": other.pem(), "bytes": b"-----BEGIN", "nothing": None}.get(wrong, good.pem())
    monkeypatch.setattr(certificates, "fetch", lambda url: served)
    roots = (other.root,) if wrong == "root" else (good.root, other.root)
    monkeypatch.setattr(certificates, "trusted_roots", lambda: roots)
    now = NOON + timedelta(days=81) if wrong == "time" else NOON
    with pytest.raises(WebhookRejected):
        certificates.public_key(CERT_URL, mode=Mode.SANDBOX, now=now)
    certificates._kept.clear()


def test_the_public_authorities_are_known():
    assert len(certificates.trusted_roots()) > 50
