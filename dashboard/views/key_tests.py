"""Test several API keys at once: what each provider says of its keys."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common.admin.visible_rows import visible_to
from gateway import services as gateway
from gateway.services import Verdict
from keys.models import ApiKey

_MARKS = {
    Verdict.ACCEPTED: ("accepted", "active"),
    Verdict.REJECTED: ("rejected", "critical"),
    Verdict.UNDECIDED: ("no answer", "warning"),
    Verdict.UNKNOWN: ("not known", ""),
}
# Twenty are asked at once, each for 15 seconds at most, while the person waits.
_KEYS_MAX = 100


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.change_apikey", raise_exception=True)
def key_tests(request: HttpRequest) -> HttpResponse:
    """GET: the keys to choose from. POST: what the providers say of those that were chosen."""
    rows = visible_to(request.user, ApiKey.objects.filter(hidden_at=None, secret__isnull=False))
    asked = set(request.POST.getlist("key"))
    chosen = set(rows.filter(pk__in=asked).values_list("pk", flat=True))
    error, probes = "", {}
    if request.method == "POST" and not 0 < len(chosen) <= _KEYS_MAX:
        error = f"Choose 1 to {_KEYS_MAX} keys."
    elif chosen:
        probes = gateway.probe_each(sorted(chosen), now=timezone.now())
    # Read afterwards, since a test may change their status.
    keys = list(rows.order_by("provider_id", "pk"))
    lines = [(key, probe, *_MARKS[probe.verdict]) for key in keys if (probe := probes.get(key.pk))]
    context = {
        "keys": keys,
        "chosen": chosen if request.method == "POST" else {key.pk for key in keys[:_KEYS_MAX]},
        "lines": lines,
        "bad": sum(probe.verdict is not Verdict.ACCEPTED for _, probe, *_ in lines),
        "error": error,
    }
    return render(request, "dashboard/keys/test.html", context)
