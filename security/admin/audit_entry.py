"""The audit, read-only: who changed what, with the values before and after."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from security import audit
from security.audit_changes import changes
from security.models import AuditEntry


class ActionFilter(admin.SimpleListFilter):
    """By what was done, of all that can be."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every action that an app records."""
        return [(action, action) for action in audit.actions()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Entries of the chosen action."""
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The list of audit entries, newest first, and the page of one."""

    list_display = ("moment", "action", "about", "difference", "who", "actor_kind", "reason")
    fields = (
        "moment",
        "action",
        "about",
        "difference",
        "who",
        "actor_kind",
        "address",
        "request_id",
        "reason",
    )
    list_filter = (ActionFilter, "actor_kind", "at")
    # What makes the page show its search box; the search itself is below.
    search_fields = ("subjects",)
    search_help_text = "What was changed or is concerned: key:nvidia-1, agent:ada, session:ses-1"
    ordering = ("-at", "-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Entries about the subject in the search box; uses the index."""
        subject = search_term.strip()
        return (queryset.filter(subjects__contains=[subject]) if subject else queryset), False

    @display(description="When (UTC)")
    def moment(self, entry: AuditEntry) -> SafeString | str:
        """The moment of the change."""
        return widgets.moment(entry.at)

    @display(description="Subject")
    def about(self, entry: AuditEntry) -> SafeString:
        """Links to what was changed and to what the change concerns."""
        return widgets.separated(map(widgets.subject_link, entry.subjects))

    @display(description="Before → after")
    def difference(self, entry: AuditEntry) -> SafeString:
        """The changed values before and after."""
        return render_to_string("security/changes.html", {"changes": changes(entry)})

    @display(description="Who")
    def who(self, entry: AuditEntry) -> str:
        """The actor."""
        return entry.actor
