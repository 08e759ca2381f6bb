"""Agents hand in the 402 of a service and get one signed payment."""

import pytest
from django.utils import timezone

from tests.api.caller import Caller, assert_problem, token_of
from tests.treasury.x402 import OTHER, asked, make_wallet, receipt
from treasury.models import X402Payment

pytestmark = pytest.mark.django_db
PATH = "/x402/payments"


@pytest.fixture
def ada(people):
    make_wallet()
    return Caller(token_of("ada", "spend", "read"))


def test_a_402_is_signed_once_and_settled_by_its_receipt(ada):
    first = ada.post(PATH, idempotency_key="k-1", payment_required=asked())
    body = first.json()
    assert (first.status_code, body["header_name"]) == (201, "PAYMENT-SIGNATURE")
    again = ada.post(PATH, idempotency_key="k-1", payment_required=asked())
    assert (again.status_code, again["Idempotent-Replay"]) == (200, "true")
    assert again.json() == body == ada.get(f"{PATH}/{body['id']}").json()
    done = ada.post(f"{PATH}/{body['id']}/receipt", payment_response=receipt())
    assert (done.json()["status"], done.json()["transaction"]) == ("settled", "0x12ab")
    assert X402Payment.objects.get().expires_at > timezone.now()


def test_refusals_have_their_codes(ada):
    def refused(status, code, text=None, *, key="k-1", caller=ada):
        sent = {"payment_required": text or asked()}
        assert_problem(caller.post(PATH, idempotency_key=key, **sent), status, code)

    refused(402, "payment_limit_reached", asked(amount="20001"))
    refused(403, "payment_not_allowed", asked(payTo=OTHER))
    refused(422, "payment_network_refused", asked(network="eip155:8453"))
    refused(422, "wrong_payment_message", "{}")
    refused(422, "invalid_request", key=None)
    refused(403, "payment_not_allowed", caller=Caller(token_of("bob", "spend")))
    refused(403, "scope_missing", caller=Caller(token_of("ada", "finance")))
    payment = ada.post(PATH, idempotency_key="k-1", payment_required=asked()).json()["id"]
    refused(409, "idempotency_mismatch", asked(amount="9999"))
    stranger = Caller(token_of("bob", "spend", "read"))
    assert_problem(stranger.get(f"{PATH}/{payment}"), 404, "payment_not_found")
    wrong = ada.post(f"{PATH}/{payment}/receipt", payment_response=receipt(payer=OTHER))
    assert_problem(wrong, 422, "wrong_payment_message")
