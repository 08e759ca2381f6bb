"""Signing in. After some wrong passwords for one name from one address, it is refused for a while.

django-axes counts them in the database, for all processes together. It counts by name and address
together, so nobody can keep the owner of a name out from another address.
"""

from typing import Any
from urllib.parse import urlencode

from allauth.account.views import login
from allauth.mfa.signals import authenticator_added, authenticator_removed
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from alerts import services as alerts
from butler_site.alert_kinds import SIGN_IN_LOCKED
from butler_site.audit_actions import Action
from common.live_notices import announce, person_topic
from security import audit
from security.request_actor import address_of, person_with


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The page to sign in, for the dashboard and the admin alike."""
    if request.user.is_authenticated and not request.user.is_staff:
        # The pages would send them here again.
        raise PermissionDenied
    page: HttpResponseBase = login(request)
    if settings.OIDC_URL and isinstance(page, TemplateResponse):
        after = request.GET.get("next", settings.LOGIN_REDIRECT_URL)
        provider = reverse("openid_connect_login", kwargs={"provider_id": "sso"})
        query = urlencode({"next": after})
        link = {"sso_name": settings.OIDC_NAME, "sso_url": f"{provider}?{query}"}
        page.context_data = {**(page.context_data or {}), **link}
    return page


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


@receiver(user_logged_out)
def end_live_pages(user: Any, **kwargs: Any) -> None:
    """The processes that keep pages of the person live look whether they are still signed in."""
    if user:
        announce(person_topic(user.pk))


@receiver(authenticator_added)
def record_added_factor(request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """A second factor was set up."""
    _record(request, user, Action.SECOND_FACTOR_ADD, authenticator)


@receiver(authenticator_removed)
def record_removed_factor(
    request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any
) -> None:
    """A second factor was removed."""
    _record(request, user, Action.SECOND_FACTOR_REMOVE, authenticator)


@transaction.atomic
def _record(request: HttpRequest, user: Any, action: Action, authenticator: Any) -> None:
    audit.record(
        actor=person_with(request, user.get_username()),
        action=action,
        subject=f"user:{user.pk}",
        after={"kind": authenticator.type},
        at=timezone.now(),
    )
