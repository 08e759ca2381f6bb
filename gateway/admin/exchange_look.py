"""Who looked at kept exchanges, to read."""

from django.contrib import admin
from unfold.decorators import display

from common.admin.read_only import ReadOnlyAdmin
from common.admin.widgets import link, moment
from gateway.models import ExchangeLook


@admin.register(ExchangeLook)
class ExchangeLookAdmin(ReadOnlyAdmin):
    """Looks at contents, the newest first; they outlive what was looked at."""

    list_display = ("when", "who", "charge_link")
    fields = ("when", "who", "charge_link")
    search_fields = ("who__exact", "charge__id__exact")
    search_help_text = "A user, or the number of a charge"
    ordering = ("-id",)

    @display(description="When (UTC)")
    def when(self, look):
        """When the page was opened."""
        return moment(look.at)

    @display(description="Charge")
    def charge_link(self, look):
        """The call that was looked at."""
        return link("charge", look.charge_id)
