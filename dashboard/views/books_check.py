"""One run of the books check: what it found, and the runs before it."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.admin.visible_rows import visible_to
from dashboard import organisation
from dashboard.books_checks import latest_checks, outcome
from keys.models import BooksCheck


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_bookscheck", raise_exception=True)
def books_check(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /reports/books-checks/<pk>: the page."""
    check = get_object_or_404(visible_to(request.user, BooksCheck.objects.all()), pk=pk)
    zone = organisation.zone(request)
    context = {
        "check": check,
        "outcome": outcome(check, zone=zone, now=timezone.now()),
        "latest": latest_checks(),
    }
    return render(request, "dashboard/books_check.html", context)
