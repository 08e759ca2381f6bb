"""What the queue runs for the app."""

from zoneinfo import ZoneInfo

from django.utils import timezone

from keys.identity.queries.organisation import organisation
from treasury import services as treasury


def expire_pending_transfers() -> int:
    """Every minute: give back what pending transfers have set aside for too long."""
    now = timezone.now()
    today = now.astimezone(ZoneInfo(organisation().reporting_zone)).date()
    return treasury.expire_pending(today=today, now=now)
