"""Usage that another system recorded, from a CSV file: checked, then imported."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import formatting, links
from common.refusal import Refusal
from interchange import services as interchange
from interchange.services import UsageImport, UsageNames, UsageSource
from security.request_actor import person_of


def _lines(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=20_000,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class _UsageForm(forms.Form):
    file = forms.FileField(label="File", help_text="CSV with headings, up to 2 MB.")
    zone = forms.CharField(
        label="Zone of its days",
        required=False,
        max_length=64,
        help_text="The IANA time zone, such as Europe/Berlin. If it is empty, it is the reporting "
        "zone of the organisation.",
    )
    column = _lines(
        "Columns (--column)",
        "Only if Butler asks for them: a line such as cost=Net price for each; also decimal=comma "
        "and dates=day-first.",
    )
    key = _lines(
        "API keys (--key)",
        "What the API keys or providers of the file are called in Butler: a line such as "
        "production=openai-1 for each. A line without = is for rows that name none.",
    )
    agent = _lines("Agents (--agent)", "The same for agents, such as Research bot=ada.")
    centre = _lines(
        "Cost centres (--centre)",
        "The same for cost centres. Rows that name none are of the cost centre of their agent.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.import_usage", raise_exception=True)
def import_usage(request: HttpRequest) -> HttpResponse:
    """GET: the form. POST: what would become of the rows, or with `import` their import."""
    form = _UsageForm(request.POST or None, request.FILES or None)
    outcome: UsageImport | None = None
    if request.method == "POST" and form.is_valid():
        try:
            outcome = _imported(request, form.cleaned_data, is_check="import" not in request.POST)
        except Refusal as refusal:
            field = getattr(refusal, "field", None)
            form.add_error(field if field in form.fields else "file", refusal.detail)
    if outcome and "import" in request.POST and not outcome.problems:
        messages.success(request, f"Imported {formatting.count(outcome.new, 'row')}.")
        return redirect(links.url("reports"))
    context = {"form": form, "outcome": outcome, "fields": interchange.USAGE_FIELDS}
    return render(request, "dashboard/import_usage.html", context)


def _imported(request: HttpRequest, asked: dict[str, Any], *, is_check: bool) -> UsageImport:
    file = asked["file"]
    lines = {
        name: [line for line in asked[name].splitlines() if line.strip()]
        for name in ("column", "key", "agent", "centre")
    }
    source = UsageSource(
        name=file.name,
        content=file.read(interchange.USAGE_BYTES_MAX + 1),
        columns=interchange.columns_from(lines["column"]),
        names=UsageNames(
            api_keys=interchange.names_of(lines["key"]),
            agents=interchange.names_of(lines["agent"]),
            cost_centres=interchange.names_of(lines["centre"]),
        ),
        zone=asked["zone"].strip(),
    )
    return interchange.import_usage(
        source, dry_run=is_check, actor=person_of(request), now=timezone.now()
    )
