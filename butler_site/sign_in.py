"""Wrong passwords: after some for one name from one address, sign-in is refused for a while.

django-axes counts them in the database, for all processes together. It counts by name and address
together, so nobody can keep the owner of a name out from another address.
"""

from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import get_user_model
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from alerts import services as alerts
from butler_site.alert_kinds import SIGN_IN_LOCKED
from security.request_actor import address_of


def client_address(request: HttpRequest) -> str:
    """The address that wrong passwords are counted by (`AXES_CLIENT_IP_CALLABLE`)."""
    return address_of(request)


def locked_page(request: HttpRequest, *args: Any) -> HttpResponse:
    """The page that says how long sign-in is refused (`AXES_LOCKOUT_CALLABLE`)."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    return render(request, "butler_site/sign_in_locked.html", {"minutes": minutes}, status=429)


@receiver(user_locked_out)
def report_lock(username: str, ip_address: str, **kwargs: Any) -> None:
    """Raise an alert, at most one for each name and address."""
    name = username or ""
    user_id = get_user_model().objects.filter(username=name).values_list("pk", flat=True).first()
    alerts.raise_alert(
        kind=SIGN_IN_LOCKED,
        dedup_key=f"sign_in_locked:{name[:150]}:{ip_address}",
        title=f"Wrong passwords for {name[:150]!r} from {ip_address}",
        detail="Sign-in with this name is refused to this address for "
        f"{settings.AXES_COOLOFF_TIME.total_seconds() // 60:.0f} minutes.",
        facts={"user_id": user_id, "address": ip_address},
        now=timezone.now(),
    )
