"""Rails: the list, the page of one with what people may do to it, and a collection."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from common.public_urls import absolute
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.treasury.rail_acts import RAIL_ACTS, connect_acts
from dashboard.treasury.rail_tables import money, rails_table
from dashboard.treasury.refund_acts import ASK_REFUND
from keys.books.queries.pages import latest_history
from security.audit_changes import changes
from treasury.models import Account, Collection, Payout, RailAccount
from treasury.queries import rail_kind, rail_kinds, rejected_webhooks

tables.register("rails", rails_table, permission="treasury.view_railaccount")
_METHODS = ["GET", "HEAD", "POST"]
_SHOWN = 10


@never_cache
@sensitive_post_parameters("secret", "webhook_secret")
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_railaccount", raise_exception=True)
@exported("rails")
def rails(request: HttpRequest) -> HttpResponse:
    """GET /treasury/rails: the list and the vendors; `act` opens a dialog. POST: connect one."""
    acts = [act for act in connect_acts() if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("rail", dialog.form.cleaned_data["slug"]))
    context = {
        "table": rails_table(request.user, request.GET, timezone.now()),
        "kinds": rail_kinds(),
        "may_connect": bool(acts),
        "dialog": dialog,
    }
    return render(request, "dashboard/treasury/rails.html", context)


@never_cache
@sensitive_post_parameters("secret", "webhook_secret")
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_railaccount", raise_exception=True)
def rail(request: HttpRequest, slug: str) -> HttpResponse:
    """GET /treasury/rails/stripe: the page; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(visible_to(request.user, RailAccount.objects.all()), pk=slug)
    acts = [act for act in RAIL_ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("rail", slug))
    now, kind = timezone.now(), rail_kind(found)
    address = reverse("rail-webhook", args=[found.webhook_key])
    context = {
        "rail": found,
        "kind": kind,
        "money": money(found),
        "can": ", ".join(sorted(kind.capabilities)),
        "settings": [(each.label, found.settings.get(each.name, "")) for each in kind.settings],
        "webhook_url": absolute(address) if kind.webhooks else "",
        "account": Account.objects.filter(name=found.address).first(),
        "acts": acts,
        "dialog": dialog,
        "payouts": Payout.objects.filter(rail_account=found)[:_SHOWN],
        "collections": found.collections.all()[:_SHOWN],
        "events": found.events.select_related("purchase", "collection")[:_SHOWN],
        "rejected": rejected_webhooks(found, now=now),
    }
    if request.user.has_perm("security.view_auditentry"):
        # What was asked for and collected is shown beside it.
        entries = latest_history(about=found.address, most=3 * _SHOWN)
        own = [entry for entry in entries if entry.action.startswith("rail.")][:_SHOWN]
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in own]
    return render(request, "dashboard/treasury/rail.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_collection", raise_exception=True)
def collection(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/collections/7: where the payer pays, and what came of it; `act` opens a
    dialog. POST: do what it asks."""
    rows = Collection.objects.select_related("rail_account", "transfer__debit")
    found = get_object_or_404(visible_to(request.user, rows), pk=pk)
    acts = [ASK_REFUND] if ASK_REFUND.is_for(request.user, found) else []
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("collection", pk))
    context: dict[str, object] = {
        "collection": found,
        "money": money(found.rail_account),
        "acts": acts,
        "dialog": dialog,
        "refunds": found.refunds.all(),
    }
    if request.user.has_perm("security.view_auditentry"):
        context["history"] = latest_history(about=found.address, most=_SHOWN)
    return render(request, "dashboard/treasury/collection.html", context)
