"""Estimates: how many tokens the work that a text describes will need."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import READ, SPEND
from api.base import ApiView, serialize
from api.fields import Name, Strict, String, Text
from api.parsers import Json, Multipart
from api.query_parameters import body, idempotency_key
from prediction import services as prediction
from prediction.queries.coverage import coverage


class QuantilesOutput(serializers.Serializer):
    """How much a part of the work needs."""

    p50 = serializers.IntegerField(help_text="Half of such work needs no more.")
    p90 = serializers.IntegerField(help_text="Of 100 such pieces of work, 90 need no more.")


class ForecastOutput(serializers.Serializer):
    """What is learned of settled work about the tokens, and how sure it is."""

    p50 = serializers.IntegerField(help_text="Half of such work needs no more tokens.")
    p90 = serializers.IntegerField(
        allow_null=True,
        help_text="Of 100 such pieces of work, 90 need no more tokens, or null if too little work "
        "has settled to say so.",
    )
    p99 = serializers.IntegerField(
        allow_null=True, help_text="Of 100 such pieces of work, 99 need no more tokens, or null."
    )
    p99_extrapolated = serializers.BooleanField(
        help_text="True if fewer than 99 settled pieces of work tell of `p99`, so that it is an "
        "extrapolation."
    )
    basis = serializers.ChoiceField(
        ["exact", "near", "text", "group", "rule"],
        help_text="What the forecast is made of: `exact` (the same text was settled), `near` "
        "(nearly the same text was), `text` (texts like it), `group` (model, agent and kind of "
        "work) or `rule` (too little work has settled: the rule of words).",
    )
    rows = serializers.IntegerField(
        help_text="The number of settled pieces of work that the quantiles are of."
    )
    text_rows = serializers.IntegerField(
        help_text="The number of them with the same or nearly the same text."
    )
    calls = QuantilesOutput(allow_null=True, help_text="The number of calls, or null.")
    output = QuantilesOutput(allow_null=True, help_text="The output tokens, or null.")
    uncertain = serializers.CharField(
        help_text="What differs most: `calls`, `tokens per call`, or an empty string."
    )
    coverage = serializers.FloatField(
        allow_null=True,
        help_text="The share of the agent's settled forecasts that stayed within their `p90`, from "
        "0 to 1, or null if there is none. It should be about 0.9.",
    )
    coverage_rows = serializers.IntegerField(
        help_text="The number of settled forecasts that `coverage` is of."
    )
    narrows = serializers.ListField(
        child=serializers.CharField(), help_text="What would make the forecast narrower, in words."
    )
    version = serializers.IntegerField(
        allow_null=True, help_text="The version of what was learned, or null for the rule of words."
    )
    explanation = serializers.CharField(help_text="The forecast explained in words.")


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
            help_text="The provider that the work is for. It does not change the figures.",
        )
        model = String(
            required=False,
            max_length=200,
            help_text="The model that will do the work. It changes the forecast.",
        )
        label = String(  # type: ignore[assignment]
            required=False,
            max_length=100,
            help_text="The kind of work, as the label of its allocation. It changes the forecast.",
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
            help_text="The provider that the work is for. It does not change the figures.",
        )
        model = String(
            required=False,
            max_length=200,
            help_text="The model that will do the work. It changes the forecast.",
        )
        label = String(  # type: ignore[assignment]
            required=False,
            max_length=100,
            help_text="The kind of work, as the label of its allocation. It changes the forecast.",
        )

    class Output(serializers.Serializer):
        """An estimate of the tokens that the work needs, and how it was made."""

        estimated = serializers.IntegerField(
            help_text="The number of tokens that the work is expected to need by the rule of words."
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
        forecast = ForecastOutput(
            help_text="What is learned of settled work. Prefer it to `estimated`, which is the "
            "rule of words alone."
        )

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
            values = _uploaded(request)
        else:
            values = body(request, self.Input)
        text = values.pop("text")
        group = prediction.Group(
            values.get("model", ""), self.bearer.agent or "", values.get("label", "")
        )
        return Response(serialize(self.Output, _Answer(prediction.forecast(text, group), group)))


class _Answer:
    """An estimate and the forecast beside it, as the output reads them."""

    def __init__(self, forecast: prediction.WorkForecast, group: prediction.Group) -> None:
        self._rule = forecast.rule
        found = coverage(agent=group.agent)
        self.forecast = {
            **{name: getattr(forecast, name) for name in _AS_FORECAST},
            "calls": _quantiles(forecast.calls),
            "output": _quantiles(forecast.output),
            "coverage": found.share,
            "coverage_rows": found.rows,
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)


_AS_FORECAST = (
    "p50",
    "p90",
    "p99",
    "p99_extrapolated",
    "basis",
    "rows",
    "text_rows",
    "uncertain",
    "narrows",
    "version",
    "explanation",
)


def _quantiles(found: tuple[int, int] | None) -> dict[str, int] | None:
    return None if found is None else {"p50": found[0], "p90": found[1]}


def _uploaded(request: Request) -> dict[str, Any]:
    """The values of the form, with the text of the one file. Refusals: those of `prediction`."""
    if len(request.FILES.getlist("file")) > 1:
        raise ValidationError({"file": "Send one file."})
    values = body(request, EstimateView.Upload)
    file = values.pop("file")
    prediction.check_content_type(file.content_type or "")
    return {**values, "text": prediction.check_text(file.read())}
