"""Slots, to read."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.models import Slot


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    """Seats for allocations: who sits where, and what the gateway last said no with."""

    list_display = ("slug", "runner", "sits_here", "since", "refusal_code")
    fields = ("slug", "runner", "sits_here", "since", "freed_at", "refusal_code", "refusal")
    list_filter = ("runner",)
    list_select_related = ("allocation",)
    search_fields = ("slug__startswith", "allocation__session_id__startswith")
    ordering = ("slug",)

    @display(description="Allocation")
    def sits_here(self, slot: Slot) -> SafeString | str:
        """Who pays for its calls."""
        return widgets.link("allocation", slot.allocation_id, slot.allocation)

    @display(description="Since (UTC)")
    def since(self, slot: Slot) -> SafeString | str:
        """When it was taken."""
        return widgets.moment(slot.taken_at)
