"""Whose stream of events it is. `dashboard.live` sends it."""

from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dashboard.live import pages
from dashboard.live.admission import Admission, Subscription
from dashboard.live.audience import audience_of


@require_safe
@staff_member_required
def live(request: HttpRequest) -> HttpResponse:
    """GET /live?page=overview: admit the person to the stream of the page.

    `row`: the key of the row that the page is of. With `own_view`, the stream only says that there
    is something new.
    """
    page = pages.find(request.GET.get("page", "overview"), request.GET.get("row", ""))
    if page is None:
        raise Http404
    if page.permission and not request.user.has_perm(page.permission):
        raise PermissionDenied
    if not page.is_seen_by(request.user):
        raise Http404
    subscription = Subscription(page, audience_of(request.user), "own_view" in request.GET)
    return Admission(subscription, person=request.user)
