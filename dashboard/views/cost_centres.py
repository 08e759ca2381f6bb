"""The tree of cost centres, where they are added and renamed."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, opened_dialog, performed
from dashboard.budgets.closing import close_act, reopen_act
from dashboard.budgets.cost_centres import ADD, centres_table, rename_act
from dashboard.budgets.moving import move_act
from dashboard.exports import exported
from keys.models import CostCentre

_VIEW = "keys.view_costcentre"
# Acts on one cost centre, as in `act=rename-research`.
_ACTS: dict[str, Callable[[CostCentre, Any], Act]] = {
    "rename": lambda centre, user: rename_act(centre),
    "move": move_act,
    "close": close_act,
    "reopen": reopen_act,
}
tables.register("cost-centres", centres_table, permission=_VIEW)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported("cost-centres")
def cost_centres(request: HttpRequest) -> HttpResponse:
    """GET /settings/cost-centres: the tree; `act=add` and those such as `act=rename-<slug>` open
    dialogs. POST: do it."""
    act, subject = _act(request)
    dialog = opened_dialog(request, [act] if act else [], subject)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, subject):
            return redirect(links.url("cost_centres"))
    context = {
        "table": centres_table(request.user, request.GET, timezone.now()),
        "acts": [ADD] if ADD.is_for(request.user, request.user) else [],
        "dialog": dialog,
        "subject": subject.pk if isinstance(subject, CostCentre) else "",
    }
    return render(request, "dashboard/budgets/cost_centres.html", context)


def _act(request: HttpRequest) -> tuple[Act | None, Any]:
    """The act that the address names, if the person may do it, and whom it is about."""
    verb, dash, slug = request.GET.get("act", "").replace("\0", "").partition("-")
    if not dash or verb not in _ACTS:
        return (ADD if ADD.is_for(request.user, request.user) else None), request.user
    centre = visible_to(request.user, CostCentre.objects.filter(pk=slug)).first()
    act = centre and _ACTS[verb](centre, request.user)
    return (act if act and act.is_for(request.user, centre) else None), centre
