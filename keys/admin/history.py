"""History, to read: what happened, before and after, who and why."""

from django.contrib import admin
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.admin import widgets as book_widgets
from keys.models import Allocation, History


@admin.register(History)
class HistoryAdmin(ReadOnlyAdmin):
    """What happened, the newest first."""

    list_display = ("moment", "event", "subject", "agent", "session", "changed", "who", "why")
    fields = ("at", "kind", "subject", "agent", "session_page", "changed", "who", "why")
    list_filter = ("kind",)
    search_fields = ("scope__exact", "agent_slug__exact", "session_id__exact")
    search_help_text = "A scope (key:nvidia-1), an agent, or a session"
    ordering = ("-at", "-id")

    @display(description="When (UTC)")
    def moment(self, entry):
        """When it happened."""
        return widgets.moment(entry.at)

    @display(description="What")
    def event(self, entry):
        """Its kind in words."""
        return entry.get_kind_display().lower()

    @display(description="Of")
    def subject(self, entry):
        """The key, agent or cost centre."""
        return widgets.subject_link(entry.scope)

    @display(description="Agent")
    def agent(self, entry):
        """The agent's page."""
        return widgets.link("agent", entry.agent_slug)

    @display(description="Session")
    def session(self, entry):
        """Everything about the session."""
        if not entry.session_id:
            return "—"
        return widgets.list_link("allocations", entry.session_id, session=entry.session_id)

    @display(description="Session")
    def session_page(self, entry):
        """The allocation's page."""
        pk = Allocation.objects.filter(session_id=entry.session_id).values_list("pk", flat=True)
        return widgets.link("allocation", pk.first(), entry.session_id)

    @display(description="Before → after")
    def changed(self, entry):
        """Value by value."""
        return book_widgets.changes_of(entry)
