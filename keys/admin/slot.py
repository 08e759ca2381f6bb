"""Slots, read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.models import Slot


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    """Slots, each with the allocation in it and the last refusal of the gateway."""

    list_display = ("slug", "runner", "allocation_link", "since", "refusal_code")
    fields = ("slug", "runner", "allocation_link", "since", "freed_at", "refusal_code", "refusal")
    list_filter = ("runner",)
    list_select_related = ("allocation",)
    search_fields = ("slug__startswith", "allocation__session_id__startswith")
    ordering = ("slug",)

    @display(description="Allocation")
    def allocation_link(self, slot: Slot) -> SafeString | str:
        """The allocation that pays for the calls of the slot, as a link."""
        return widgets.link("allocation", slot.allocation_id, slot.allocation)

    @display(description="Since (UTC)")
    def since(self, slot: Slot) -> SafeString | str:
        """When the allocation took the slot."""
        return widgets.moment(slot.taken_at)
