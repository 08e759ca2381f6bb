"""Alerts: a list with filters, and actions that acknowledge and resolve one or many."""

from collections.abc import Callable
from functools import partial

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display

from alerts import services
from alerts.models import Alert
from common import links
from common.admin.dialogs import NoteForm, perform, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from security.request_actor import person_of

_ACKNOWLEDGE = {
    "title": "Acknowledge this alert",
    "description": "Other people see that you deal with the alert. Resolve it when you are done.",
    "form_class": NoteForm,
}
_RESOLVE = {
    "title": "Resolve this alert",
    "description": "The alert is closed. Butler raises a new one if the condition comes back.",
    "form_class": NoteForm,
}
_SEVERITY_COLOURS = {"info": "info", "warning": "warning", "critical": "danger"}
_STATUS_COLOURS = {"open": "danger", "acknowledged": "warning", "resolved": "success"}


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """The list of alerts, newest first, and the page of one."""

    list_display = (
        "severity_label",
        "status_label",
        "title",
        "kind",
        "key_id",
        "agent_id",
        "session_id",
        "raised_at",
    )
    list_display_links = ("title",)
    list_filter = ("severity", "status", ("kind", admin.AllValuesFieldListFilter))
    search_fields = ("title", "dedup_key", "key_id", "agent_id", "session_id")
    ordering = ("-raised_at", "-id")
    fieldsets = (
        (None, {"fields": ("severity", "status", "title", "detail", "raised_at")}),
        ("What it means and what to do", {"fields": ("meaning", "what_to_do")}),
        (
            "What it is about",
            {"fields": ("kind", "key_id", "agent_id", "session_id", "facts", "dedup_key")},
        ),
        (
            "What people did",
            {
                "fields": (
                    "acknowledged_at",
                    "acknowledged_by",
                    "acknowledged_note",
                    "snoozed_until",
                    "snoozed_by",
                    "snoozed_note",
                    "resolved_at",
                    "resolved_by",
                    "resolved_note",
                )
            },
        ),
    )
    readonly_fields = ("meaning", "what_to_do")
    actions = ("acknowledge_selected", "resolve_selected")
    actions_detail = ("acknowledge_one", "resolve_one")

    def has_close_permission(self, request: HttpRequest, obj: Alert | None = None) -> bool:
        """Whether the user may acknowledge and resolve: the permission to change alerts."""
        return request.user.has_perm("alerts.change_alert")

    def audit_subject(self, obj: Alert) -> str:
        """The alert, which the audit entries name."""
        return obj.address

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def severity_label(self, alert: Alert) -> str:
        """The severity as a coloured label."""
        return alert.severity

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def status_label(self, alert: Alert) -> str:
        """The status as a coloured label."""
        return alert.status

    @display(description="Meaning")
    def meaning(self, alert: Alert) -> str:
        """What an alert of this kind means."""
        return alert.meaning or "This kind of alert comes from another system."

    @display(description="What to do")
    def what_to_do(self, alert: Alert) -> str:
        """The remedy, with a link to the page on which it is carried out."""
        path = alert.remedy_path
        link = path and format_html('<a class="text-link" href="{}">Open the page</a>', path)
        return format_html("{} {}", alert.remedy, link or "")

    @action(description="Acknowledge selected alerts", permissions=["close"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Acknowledge the selected alerts, with a message for each that is already resolved."""
        self._close_each(request, queryset, services.acknowledge, "acknowledged")

    @action(description="Resolve selected alerts", permissions=["close"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Resolve the selected alerts, with a message for each that is already resolved."""
        self._close_each(request, queryset, services.resolve, "resolved")

    @action(description="Acknowledge", permissions=["close"], dialog=_ACKNOWLEDGE)
    def acknowledge_one(self, request: HttpRequest, form: NoteForm, object_id: str) -> HttpResponse:
        """Acknowledge the alert, with an optional note."""
        return self._close_one(request, form, object_id, services.acknowledge, "acknowledged")

    @action(description="Resolve", permissions=["close"], dialog=_RESOLVE)
    def resolve_one(self, request: HttpRequest, form: NoteForm, object_id: str) -> HttpResponse:
        """Resolve the alert, with an optional note."""
        return self._close_one(request, form, object_id, services.resolve, "resolved")

    def _close_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Alert],
        verb: Callable[..., object],
        done: str,
    ) -> None:
        actor, now = person_of(request), timezone.now()
        pks = queryset.values_list("pk", flat=True)
        verbs = [partial(verb, pk, actor=actor, now=now) for pk in pks]
        count = sum(perform(request, each, success="") for each in verbs)
        if count:
            messages.success(request, f"Alerts {done}: {count}.")

    def _close_one(
        self,
        request: HttpRequest,
        form: NoteForm,
        object_id: str,
        verb: Callable[..., object],
        done: str,
    ) -> HttpResponse:
        closing = partial(
            verb,
            int(object_id),
            actor=person_of(request),
            note=form.cleaned_data["note"],
            now=timezone.now(),
        )
        perform(request, closing, success=f"The alert was {done}.")
        return redirect_to(request, links.url("recorded_alert", object_id))
