"""Who may what: every person with their roles, rights and cost centres."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gate import queries


@never_cache
@require_safe
@staff_member_required
@permission_required("auth.view_user", raise_exception=True)
def access(request: HttpRequest) -> HttpResponse:
    """GET /access: the page; with `format=csv`, the file."""
    if request.GET.get("format") != "csv":
        return render(request, "dashboard/access.html", {"people": queries.access_review()})
    file = HttpResponse(content_type="text/csv; charset=utf-8")
    file["Content-Disposition"] = 'attachment; filename="access.csv"'
    queries.write_access_review(file)
    return file
