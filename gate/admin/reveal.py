"""Secrets that people asked to see: ask, and show once what a second person approved."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action, display

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, reason_field, redirect_to
from common.admin.service_forms import ServiceAdmin
from common.refusal import Refusal
from gate import services
from gate.models import Reveal
from security.reauthentication import reauthenticated
from security.request_actor import person_of

_SHOW = {
    "title": "Show the secret",
    "description": f"It is shown once, for {services.SHOWN_SECONDS} seconds. Everybody who gets "
    "alerts is told.",
    "form_class": ReasonForm,
}


class RevealForm(forms.ModelForm):
    """Asks which secret, and why."""

    reason = reason_field()

    class Meta:
        model = Reveal
        fields = ("api_key",)


@admin.register(Reveal)
class RevealAdmin(ServiceAdmin):
    """The list of secrets that people asked to see, newest first. Add one to ask."""

    form = RevealForm
    list_display = ("api_key", "asked", "status", "shown_at")
    list_select_related = ("approval",)
    readonly_fields = ("asked", "status", "shown_at")
    ordering = ("-id",)
    actions_detail = ("show_secret",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The form of a new one; the row of one that exists."""
        return ("api_key", "asked", "status", "shown_at") if obj else ("api_key", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the user may ask: a permission that no role has."""
        return bool(request.user.has_perm("gate.reveal_secret"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: the row is not edited."""
        return False

    def has_show_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the user may ask; the service knows who asked."""
        return self.has_add_permission(request)

    @display(description="Approval")
    def asked(self, reveal: Reveal) -> SafeString | str:
        """The approval, with who asked."""
        return widgets.link("approval", reveal.approval_id, f"asked by {reveal.approval.asked_by}")

    @display(description="Status")
    def status(self, reveal: Reveal) -> str:
        """The status of the approval."""
        return reveal.approval.status

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Ask a second person."""
        reveal = services.ask_reveal(
            form.cleaned_data["api_key"],
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        obj.pk, obj.approval = reveal.pk, reveal.approval
        messages.warning(request, "A second person must approve. Then come back here.")

    @sensitive_variables("secret")
    @action(description="Show the secret", permissions=["show"], dialog=_SHOW)
    @reauthenticated
    def show_secret(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Show the secret on a page that no browser keeps and that leaves by itself."""
        reveal = get_object_or_404(
            Reveal.objects.select_related("api_key", "approval"), pk=object_id
        )
        back = links.url("reveal", object_id)
        try:
            secret = services.show_secret(reveal, actor=person_of(request), now=timezone.now())
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return redirect_to(request, back)
        shown = {
            "reveal": reveal,
            "secret": secret,
            "seconds": services.SHOWN_SECONDS,
            "back": back,
        }
        response = render(request, "gate/secret.html", shown)
        response.headers["Cache-Control"] = "no-store"
        # The dialog sent its form with htmx: without these, the page would go into the form.
        response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#dialog"
        response.headers["HX-Reswap"] = "outerHTML"
        return response
