"""Receipts of purchases: which there are, and the file of one."""

from base64 import b64encode

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.treasury import TreasuryView
from treasury import queries as treasury
from treasury.models import PurchaseReceipt

_EXAMPLE = {
    "id": 3,
    "purchase_id": 7,
    "file_name": "invoice.pdf",
    "media_type": "application/pdf",
    "bytes": 48213,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "added_by": "person:fay",
    "added_at": "2026-11-02T09:00:00Z",
}


class ReceiptOutput(serializers.Serializer):
    """A receipt of a purchase. It is never changed, and kept as long as the ledger."""

    id = serializers.IntegerField(help_text="Identifies the receipt.")
    purchase_id = serializers.IntegerField(help_text="The purchase that it belongs to.")
    file_name = serializers.CharField(help_text="What the person called the file.")
    media_type = serializers.CharField(
        help_text="What the content is, as its bytes say: `application/pdf`, `image/png` or "
        "`image/jpeg`."
    )
    bytes = serializers.IntegerField(source="size", help_text="The size of the content in bytes.")
    sha256 = serializers.CharField(help_text="The SHA-256 of the content, in hexadecimal.")
    added_by = serializers.CharField(help_text="The person who added it.")
    added_at = serializers.DateTimeField(help_text="The time at which it was added.")


class ReceiptListView(TreasuryView):
    """`/api/v1/treasury/purchases/{purchase_id}/receipts`."""

    problems = {"GET": (404,)}

    class Output(serializers.Serializer):
        """The receipts of a purchase."""

        results = ReceiptOutput(many=True, help_text="The receipts, the first one first.")

    @extend_schema(
        operation_id="listReceipts",
        summary="List the receipts of a purchase",
        description="Requires the scope `finance`. Returns the receipts that people have added, "
        "without their content.",
        responses=Output,
        examples=[OpenApiExample("An invoice", {"results": [_EXAMPLE]}, response_only=True)],
    )
    def get(self, request: Request, purchase_id: int) -> Response:
        """Return the receipts."""
        rows = treasury.receipts_of(purchase_id)
        return Response(self.Output({"results": rows}).data)


class ReceiptFileOutput(ReceiptOutput):
    """A receipt with its content."""

    content = serializers.SerializerMethodField(help_text="The content of the file in base64.")

    def get_content(self, receipt: PurchaseReceipt) -> str:
        """Return the bytes as JSON has them."""
        return b64encode(receipt.content).decode()


class ReceiptView(TreasuryView):
    """`/api/v1/treasury/receipts/{receipt_id}`."""

    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="getReceipt",
        summary="Get a receipt of a purchase",
        description="Requires the scope `finance`. Returns the receipt with its content.",
        responses=ReceiptFileOutput,
        examples=[
            OpenApiExample(
                "An invoice", {**_EXAMPLE, "content": "JVBERi0xLjcK"}, response_only=True
            )
        ],
    )
    def get(self, request: Request, receipt_id: int) -> Response:
        """Return the receipt."""
        return Response(ReceiptFileOutput(treasury.receipt(receipt_id)).data)
