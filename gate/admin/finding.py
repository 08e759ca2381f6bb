"""Findings of secrets: the list, and the page on which one is decided."""

from functools import partial

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from gate import services
from gate.models import Finding
from security.request_actor import person_of

_COLOURS = {"open": "danger", "fixed": "success", "allowed": "default"}
_FIX = {
    "title": "Mark as fixed",
    "description": "The secret is removed where it was found. If it was a key, it is replaced.",
    "form_class": ReasonForm,
}
_ALLOW = {
    "title": "Allow",
    "description": "It is no secret, or everybody may know it.",
    "form_class": ReasonForm,
}


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    """The list of findings, newest first, and the page of one."""

    list_display = ("id", "status_label", "rule", "place", "whose", "replace_by", "reported_at")
    list_filter = ("status",)
    search_fields = ("path__startswith", "subject__exact")
    search_help_text = "The beginning of a path, or whose secret it is, such as key:nvidia-1"
    ordering = ("-id",)
    actions_detail = ("fix", "allow")
    fieldsets = (
        (None, {"fields": ("status_label", "rule", "place", "excerpt", "whose", "replace_by")}),
        ("Report", {"fields": ("reported_by", "reported_at")}),
        ("Decision", {"fields": ("decided_by", "decided_at", "reason")}),
    )

    def audit_subject(self, obj: Finding) -> str:
        """The finding, which the audit entries name."""
        return f"finding:{obj.pk}"

    def has_decide_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may decide findings."""
        return request.user.has_perm("gate.change_finding")

    @display(description="Status")
    def status_label(self, finding: Finding) -> SafeString:
        """Whether somebody must do something."""
        return widgets.badge(finding.status, _COLOURS[finding.status])

    @display(description="Place")
    def place(self, finding: Finding) -> str:
        """The file and the line."""
        return f"{finding.path}:{finding.line}"

    @display(description="Whose")
    def whose(self, finding: Finding) -> SafeString | str:
        """Whose secret it is, as a link."""
        return widgets.subject_link(finding.subject) if finding.subject else "-"

    @action(description="Fixed", permissions=["decide"], dialog=_FIX)
    def fix(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Mark the finding as fixed."""
        return self._decide(request, form, object_id, Finding.Status.FIXED)

    @action(description="Allow", permissions=["decide"], dialog=_ALLOW)
    def allow(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Allow what was found."""
        return self._decide(request, form, object_id, Finding.Status.ALLOWED)

    def _decide(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str, status: Finding.Status
    ) -> HttpResponse:
        verb = partial(
            services.decide_finding,
            int(object_id),
            status=status,
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, verb, success=f"The finding is {status}.")
        return redirect_to(request, links.url("finding", object_id))
