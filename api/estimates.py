"""Estimates: how many tokens the work that a text describes will need."""

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
        """A text to estimate, as JSON."""

        text = Text(
            help_text="A description of the work in plain text or Markdown, of at most 1 MB."
        )
        provider = Name(
            required=False,
            help_text="The provider that the work is for. It does not change the estimate yet.",
        )

    class Upload(Strict):
        """A text to estimate, as a file."""

        file = serializers.FileField(
            allow_empty_file=True,
            help_text="A file of the type `text/plain` or `text/markdown`, in UTF-8, of at most "
            "1 MB.",
        )
        provider = Name(
            required=False,
            help_text="The provider that the work is for. It does not change the estimate yet.",
        )

    class Output(serializers.Serializer):
        """An estimate of the tokens that the work needs, and how it was made."""

        estimated = serializers.IntegerField(
            help_text="The number of tokens that the work is expected to need."
        )
        base = serializers.IntegerField(
            help_text="The number of tokens before the multiplier is applied."
        )
        multiplier = serializers.FloatField(
            help_text="The factor by which the traits of the text raise the base."
        )
        confidence = serializers.FloatField(
            help_text="How reliable the estimate is, from 0 (a guess) to 1 (certain)."
        )
        words = serializers.IntegerField(help_text="The number of words in the text.")
        traits = serializers.ListField(
            child=serializers.CharField(),
            help_text="The traits of the text that raise the estimate, for example `code`.",
        )
        reasoning = serializers.CharField(help_text="The estimate explained in words.")

    @extend_schema(
        operation_id="estimate",
        summary="Estimate the tokens that a piece of work needs",
        description="Requires the scope `spend` or `read`. Reads a description of the work, as "
        "JSON or as a file, and changes nothing.",
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
        """Return the estimate."""
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
