"""Estimates: how many tokens will the work in a text need?"""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import READ, SPEND
from api.base import ApiView, serialize
from api.fields import Name, Strict, Text
from api.parsers import Json, Multipart
from api.query_parameters import body, idempotency_key
from prediction import services as prediction


class EstimateView(ApiView):
    """`/api/v1/estimates`."""

    scopes = {"POST": (SPEND, READ)}
    parser_classes = (Json, Multipart)

    class Input(Strict):
        """A text in JSON."""

        text = Text(help_text="Plain text or Markdown, up to 1 MB.")
        provider = Name(required=False, help_text="Looked at by no rule yet.")

    class Upload(Strict):
        """A text as a file: `text/plain` or `text/markdown`, UTF-8, up to 1 MB."""

        file = serializers.FileField(allow_empty_file=True)
        provider = Name(required=False)

    class Output(serializers.Serializer):
        """An estimate, and why."""

        estimated = serializers.IntegerField(help_text="Tokens.")
        base = serializers.IntegerField(help_text="Tokens, before the multiplier.")
        multiplier = serializers.FloatField()
        confidence = serializers.FloatField(help_text="0 to 1.")
        words = serializers.IntegerField()
        traits = serializers.ListField(child=serializers.CharField())
        reasoning = serializers.CharField()

    @extend_schema(
        operation_id="estimate",
        summary="How many tokens the work in a text needs",
        description="Needs the scope spend or read. Changes nothing, so any repeat is the same.",
        request={"application/json": Input, "multipart/form-data": Upload},
        responses=Output,
        examples=[
            OpenApiExample(
                "A text",
                {"text": "Implement the integration."},
                request_only=True,
                media_type="application/json",
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Estimate."""
        idempotency_key(request)
        if request.content_type.startswith(Multipart.media_type):
            text = _uploaded_text(request)
        else:
            text = body(request, self.Input)["text"]
        return Response(serialize(self.Output, prediction.estimate(text)))


def _uploaded_text(request: Request) -> str:
    """The text of the one file. Refusals: those of `prediction`."""
    if len(request.FILES.getlist("file")) > 1:
        raise ValidationError({"file": "Send one file."})
    file = body(request, EstimateView.Upload)["file"]
    prediction.check_content_type(file.content_type or "")
    return prediction.check_text(file.read())
