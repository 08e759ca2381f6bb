"""Findings of secrets: report one."""

from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import OPERATE, SPEND
from api.base import ApiView, serialize
from api.fields import Integer, Strict, String
from api.query_parameters import body, idempotency_key
from common import database_clock
from gate import services as gate
from gate.models import Finding

_TEXT_MAX = 100_000


class FindingListView(ApiView):
    """`/api/v1/findings`."""

    scopes = {"POST": (SPEND, OPERATE)}

    class Input(Strict):
        """What was found and where."""

        rule = String(max_length=100, help_text="The rule that found it, such as `openai-key`.")
        path = String(max_length=1000, help_text="The file or the place where it stands.")
        line = Integer(min_value=1, max_value=2**31 - 1, help_text="The line in which it begins.")
        excerpt = String(
            required=False,
            default="",
            allow_blank=True,
            max_length=100,
            help_text="The redacted excerpt that the scanner shows. It never holds the secret.",
        )
        text = String(
            required=False,
            default="",
            allow_blank=True,
            max_length=_TEXT_MAX,
            help_text="The text from this line on, in which Butler looks for its own secrets. It "
            "is not stored.",
        )

    class Output(serializers.Serializer):
        """What was recorded."""

        class FindingOutput(serializers.Serializer):
            """A secret at a place where it must not be."""

            id = serializers.IntegerField(help_text="Identifies the finding.")
            rule = serializers.CharField(help_text="The rule that found it.")
            path = serializers.CharField(help_text="The file or the place where it stands.")
            line = serializers.IntegerField(help_text="The line in which it begins.")
            subject = serializers.CharField(
                help_text="Whose secret it is if it is one of Butler's own, such as "
                "`key:nvidia-1`, or an empty string."
            )
            status = serializers.ChoiceField(
                Finding.Status.choices,
                help_text="The status of the finding: `open`, `fixed` or `allowed`.",
            )
            replace_by = serializers.DateTimeField(
                allow_null=True,
                help_text="The time by which the secret must be replaced, or null.",
            )

        findings = FindingOutput(many=True, help_text="The findings that were recorded.")

    @extend_schema(
        operation_id="reportFinding",
        summary="Report that a secret was found",
        description="Requires the scope `spend` or `operate`. Records a finding of the scanner. If "
        "one of Butler's own secrets is in `text`, that is recorded instead; the API key of a "
        "provider is then frozen, and people are alerted. A repeated report is the same finding "
        "while it is open.",
        request=Input,
        responses=Output,
        examples=[
            OpenApiExample(
                "A key in a file",
                {"rule": "openai-key", "path": "src/app.py", "line": 12, "excerpt": "sk-… (51)"},
                request_only=True,
            )
        ],
    )
    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Record the finding and return what was recorded."""
        values = body(request, self.Input)
        idempotency_key(request)
        text = values.pop("text")
        found = gate.report_finding(
            gate.FindingReport(**values), text=text, actor=self.actor, now=database_clock.now()
        )
        return Response(serialize(self.Output, {"findings": found}))
