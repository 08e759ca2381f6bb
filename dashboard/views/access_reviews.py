"""Reviews of access: the list, and one with its lines."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, opened_dialog, performed
from dashboard.exports import exported
from dashboard.people.reviews import (
    START,
    VIEW,
    decide_act,
    lines_table,
    reviews_table,
    status_of,
)
from gate.models import AccessReview, AccessReviewLine

tables.register("access-reviews", reviews_table, permission=VIEW)
tables.register("access-review", lines_table, permission=VIEW)
_METHODS = ["GET", "HEAD", "POST"]
_OPEN = AccessReviewLine.Decision.OPEN


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required(VIEW, raise_exception=True)
@exported("access-reviews")
def access_reviews(request: HttpRequest) -> HttpResponse:
    """GET /settings/reviews: the list; `act=start` opens the dialog. POST: start a review."""
    acts = [START] if START.is_for(request.user, None) else []
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("access_reviews"))
    context = {
        "table": reviews_table(request.user, request.GET, timezone.now()),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/people/reviews.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required(VIEW, raise_exception=True)
@exported("access-review")
def access_review(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /settings/reviews/<id>: the lines; `act=decide-<line>` opens a dialog. POST: decide."""
    found = get_object_or_404(visible_to(request.user, AccessReview.objects.all()), pk=pk)
    dialog = opened_dialog(request, _acts(request, found), found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("access_review", pk, open="1"))
    now, lines = timezone.now(), found.lines.all()
    total, left = lines.count(), lines.filter(decision=_OPEN).count()
    context: dict[str, Any] = {
        "review": found,
        "status": status_of(found, now),
        "total": total,
        "left": left,
        "decided": total - left,
        "is_open": bool(request.GET.get("open")),
        "table": lines_table(request.user, {**request.GET.dict(), "pk": str(pk)}, now),
        "dialog": dialog,
    }
    return render(request, "dashboard/people/review.html", context)


def _acts(request: HttpRequest, review: AccessReview) -> list[Act]:
    """The act on the line that the address names, if the person may decide it."""
    number = request.GET.get("act", "").removeprefix("decide-")
    is_id = number.isascii() and number.isdigit() and len(number) < 19
    line = review.lines.select_related("person").filter(pk=int(number) if is_id else 0).first()
    if line is None or line.person_id == request.user.pk:
        return []
    act = decide_act(line)
    return [act] if act.is_for(request.user, review) else []
