"""The delivery log."""

from django.contrib import admin
from unfold.decorators import display

from alerts.models import Notification
from common.admin.read_only import ReadOnlyAdmin

_STATUS_COLOURS = {
    "queued": "info",
    "sending": "info",
    "sent": "success",
    "failed": "warning",
    "given_up": "danger",
}


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Each notification: alert, channel, attempts and result."""

    list_display = (
        "queued_at",
        "channel",
        "subject",
        "status_label",
        "attempts",
        "last_error",
        "next_attempt_at",
        "sent_at",
    )
    list_filter = ("status", "channel")
    list_select_related = ("alert", "channel")
    search_fields = ("alert__title", "alert__dedup_key", "last_error")
    ordering = ("-queued_at", "-id")

    def audit_subject(self, obj: Notification) -> str:
        """The alert, or the channel of a test message: no audit entries name a notification."""
        return (obj.alert or obj.channel).address

    @display(description="Alert")
    def subject(self, notification: Notification) -> str:
        """The title of the alert, or `test message`."""
        return str(notification.alert or "test message")

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def status_label(self, notification: Notification) -> str:
        """The status as a coloured label."""
        return notification.status
