"""A list of API keys from a file: checked, then added."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from common import formatting, links
from common.refusal import Refusal
from interchange import services as interchange
from interchange.services import KeyOutcome, KeyResult
from security.request_actor import person_of

_MARKS = {
    KeyOutcome.NEW: ("new", "active"),
    KeyOutcome.EXISTS: ("there already", ""),
    KeyOutcome.WRONG: ("wrong", "critical"),
    KeyOutcome.LEFT_OUT: ("left out", "warning"),
}


class _KeyListForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text="CSV with a head, JSON, or .env with lines such as OPENAI_API_KEY=….",
    )
    models = forms.CharField(
        label="Models",
        required=False,
        max_length=2000,
        help_text="For keys that name none: openai=gpt-4.1-mini mistral=mistral-small-latest",
    )
    tokens_per_day = forms.CharField(
        label="Tokens per day",
        required=False,
        max_length=30,
        help_text="For keys without any limit: a number, or none.",
    )
    zone = forms.CharField(
        label="Zone of limits",
        required=False,
        max_length=64,
        help_text="The IANA time zone, such as Europe/Berlin. If it is empty, it is UTC.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.add_apikey", raise_exception=True)
@sensitive_variables()
def import_keys(request: HttpRequest) -> HttpResponse:
    """GET: the form. POST: what would become of each key, or with `add` the keys."""
    form = _KeyListForm(request.POST or None, request.FILES or None)
    results: list[KeyResult] = []
    if request.method == "POST" and form.is_valid():
        try:
            results = _imported(request, form.cleaned_data, is_check="add" not in request.POST)
        except Refusal as refusal:
            field = getattr(refusal, "field", None)
            form.add_error(field if field in form.fields else "file", refusal.detail)
    found = interchange.counts(results)
    if "add" in request.POST and results and not found[KeyOutcome.WRONG]:
        messages.success(request, f"Added {formatting.count(found[KeyOutcome.NEW], 'key')}.")
        return redirect(links.url("keys"))
    context = {
        "form": form,
        "columns": interchange.KEY_COLUMNS,
        "lines": [(result, *_MARKS[result.outcome]) for result in results],
        "found": found,
        "file": request.FILES.get("file"),
    }
    return render(request, "dashboard/keys/import.html", context)


@sensitive_variables()
def _imported(request: HttpRequest, asked: dict[str, Any], *, is_check: bool) -> list[KeyResult]:
    file = asked["file"]
    entries = interchange.read_key_list(
        file.read(interchange.KEY_LIST_BYTES_MAX + 1), file=file.name
    )
    return interchange.import_keys(
        entries,
        defaults=interchange.KeyDefaults(
            models=interchange.model_by_provider(asked["models"].split()),
            tokens_per_day=asked["tokens_per_day"],
            zone=asked["zone"],
        ),
        dry_run=is_check,
        actor=person_of(request),
        now=timezone.now(),
    )
