"""Grants: what limits allow in addition for a while. A person can end one early."""

from functools import partial

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from common import formatting, links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from keys import services as keys
from keys.models import Grant
from security.request_actor import person_of

_END = {
    "title": "End this grant",
    "description": "The limit allows no more than its amount from now on. What is lent stays lent.",
    "form_class": ReasonForm,
}


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """The list of grants, newest first, and the page of one."""

    list_display = ("grant", "more", "starts_at", "ends_at", "asked")
    fields = ("grant", "more", "starts_at", "ends_at", "asked")
    readonly_fields = ("grant", "more", "asked")
    list_filter = ("limit__unit", "ends_at")
    list_select_related = ("limit",)
    search_fields = ("limit__scope__exact",)
    search_help_text = "agent:ada or centre:research"
    ordering = ("-id",)
    actions_detail = ("end_now",)

    def has_end_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether the user may end grants: the permission to change them."""
        return request.user.has_perm("keys.change_grant")

    @display(description="Limit")
    def grant(self, grant: Grant) -> str:
        """The limit in words."""
        return str(grant.limit)

    @display(description="In addition")
    def more(self, grant: Grant) -> str:
        """The amount, in the limit's unit."""
        return formatting.quantity(grant.amount, unit=grant.limit.unit)

    @display(description="Approval")
    def asked(self, grant: Grant) -> SafeString | str:
        """The approval of the budget request."""
        return widgets.link("approval", grant.approval_id)

    @action(description="End now", permissions=["end"], dialog=_END)
    def end_now(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """End the grant before its time."""
        ending = partial(
            keys.end_grant,
            Grant.objects.get(pk=object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, ending, success="The grant has ended.")
        return redirect_to(request, links.url("grant", object_id))
