"""Payments of agents to services that answer HTTP 402 (x402), in play money of testnets."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import READ, SPEND
from api.base import ApiView, created_response
from api.fields import Strict, String
from api.query_parameters import WrongParameter, body, idempotency_key
from common import database_clock
from treasury import queries as treasury_queries
from treasury import services as treasury
from treasury.models import X402Payment, X402Status

_EXAMPLE = {
    "id": 3,
    "status": "signed",
    "header_name": "PAYMENT-SIGNATURE",
    "header_value": "eyJ4NDAyVmVyc2lvbiI6Mn0=",
    "resource": "https://api.example.com/premium-data",
    "network": "eip155:84532",
    "pay_to": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
    "amount": "0.010000000",
    "currency": "USDC",
    "is_play_money": True,
    "transaction": "",
    "signed_at": "2026-11-02T09:00:00Z",
    "expires_at": "2026-11-02T09:01:00Z",
}


class PaymentOutput(serializers.Serializer):
    """A payment of an agent to a service, signed once."""

    id = serializers.IntegerField(help_text="Identifies the payment.")
    status = serializers.ChoiceField(
        X402Status.choices,
        help_text="The status: `signed` until the receipt of the service comes (`settled`), or the "
        "signature has expired and the amount is free again (`expired`).",
    )
    header_name = serializers.CharField(
        help_text="The name of the header in which the service expects the signature."
    )
    header_value = serializers.CharField(
        source="header",
        help_text="The value of that header. It never changes: repeat your request to the service "
        "with the same value, and never ask for another payment of the same thing.",
    )
    resource = serializers.CharField(help_text="The address that is paid for.")
    network = serializers.CharField(help_text="The blockchain, as CAIP-2 names it.")
    pay_to = serializers.CharField(help_text="The address that is paid.")
    amount = serializers.DecimalField(
        max_digits=38, decimal_places=9, help_text="The amount, which counts as US dollars."
    )
    currency = serializers.CharField(help_text="The currency of the amount.")
    is_play_money = serializers.BooleanField(help_text="Whether no real money moves.")
    transaction = serializers.CharField(
        help_text="The transaction on the blockchain by the receipt, or an empty string."
    )
    signed_at = serializers.DateTimeField(help_text="The time of the signature.")
    expires_at = serializers.DateTimeField(help_text="The time after which it does not count.")


class PaymentListView(ApiView):
    """`/api/v1/x402/payments`."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"POST": (SPEND,)}
    problems = {"POST": (402, 403, 409)}

    class Input(Strict):
        """What the service answered."""

        payment_required = String(
            max_length=20_000,
            help_text="The 402 of the service: the value of its header `PAYMENT-REQUIRED`, or its "
            "JSON body in version 1 of x402. It has at most 20,000 characters.",
        )

    @extend_schema(
        operation_id="signPayment",
        summary="Sign a payment to a service",
        description="Requires the scope `spend` and the header `Idempotency-Key`. Sets the amount "
        "aside within the agent's allowance and signs its payment, in test USDC on Base Sepolia. "
        "Use one key for each thing that you buy: the same key returns the same bytes, and a "
        "second key is a second payment.",
        request=Input,
        responses={201: PaymentOutput, 200: PaymentOutput},
        examples=[
            OpenApiExample("A 402", {"payment_required": "eyJ4NDAyVm…"}, request_only=True),
            OpenApiExample("A signed payment", _EXAMPLE, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign, and return the header for the service."""
        key = idempotency_key(request)
        if key is None:
            raise WrongParameter(
                {"Idempotency-Key": ["Send one: the same key is the same payment."]}
            )
        payment, created = treasury.sign_payment(
            self.bearer.agent,
            body(request, self.Input)["payment_required"],
            idempotency_key=key,
            actor=self.actor,
            now=database_clock.now(),
        )
        return created_response(PaymentOutput(payment).data, created=created)


class PaymentView(ApiView):
    """`/api/v1/x402/payments/{payment_id}`."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": (READ, SPEND)}
    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="getPayment",
        summary="Get a payment to a service",
        description="Requires the scope `read` or `spend`. Returns a payment of the agent itself.",
        responses=PaymentOutput,
        examples=[OpenApiExample("A signed payment", _EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, payment_id: int) -> Response:
        """Return the payment."""
        payment: X402Payment = treasury_queries.x402_payment(payment_id, agent=self.bearer.agent)
        return Response(PaymentOutput(payment).data)


class PaymentReceiptView(ApiView):
    """`/api/v1/x402/payments/{payment_id}/receipt`."""

    problems = {"POST": (404,)}

    class Input(Strict):
        """What the service answered to the payment."""

        payment_response = String(
            max_length=20_000,
            help_text="The value of the header `PAYMENT-RESPONSE` of the service, or of "
            "`X-PAYMENT-RESPONSE` in version 1 of x402.",
        )

    @extend_schema(
        operation_id="settlePayment",
        summary="Settle a payment by its receipt",
        description="Requires the scope `spend`. Writes down what the service says came of the "
        "payment. If it says that it was not paid, the amount stays set aside until the signature "
        "has expired.",
        request=Input,
        responses=PaymentOutput,
        examples=[
            OpenApiExample("A receipt", {"payment_response": "eyJzdWNjZXNzIj…"}, request_only=True),
            OpenApiExample(
                "A settled payment",
                {**_EXAMPLE, "status": "settled", "transaction": "0x12ab"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request, payment_id: int) -> Response:
        """Settle, and return the payment."""
        idempotency_key(request)
        payment = treasury.settle_payment(
            payment_id,
            body(request, self.Input)["payment_response"],
            agent=self.bearer.agent,
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(PaymentOutput(payment).data)
