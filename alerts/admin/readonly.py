"""A model that is looked at, not edited."""

from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Nothing is added, changed or deleted by hand; actions call services."""

    # Counting a large table for every page costs more than the page.
    show_full_result_count = False

    def has_add_permission(self, request):
        """Rows are made by services."""
        return False

    def has_change_permission(self, request, obj=None):
        """Rows are changed by services."""
        return False

    def has_delete_permission(self, request, obj=None):
        """Nothing is forgotten."""
        return False
