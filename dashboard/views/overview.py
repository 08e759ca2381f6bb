"""The Overview: what to decide, the month so far, who moved it, what runs, and what is left."""

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.organisation import organisation_of
from dashboard.overview.sections import sections
from dashboard.overview.to_decide import to_decide


@never_cache
@require_safe
@staff_member_required
def overview(request: HttpRequest) -> HttpResponse:
    """GET /: the page; `by` is what its bars are stacked by."""
    now, organisation = timezone.now(), organisation_of(request)
    context = sections(
        request.user, stack=request.GET.get("by", ""), organisation=organisation, now=now
    )
    context["to_decide"] = to_decide(request.user, organisation=organisation, now=now)
    return render(request, "dashboard/overview.html", context)
