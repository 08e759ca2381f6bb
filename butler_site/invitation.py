"""The page of an invitation's link, on which a person sets their password."""

from typing import Any

from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from butler_site.audit_actions import Action
from common import links
from security import audit
from security.request_actor import person_with


class Invitation(PasswordResetConfirmView):
    """Works once, for three days (PASSWORD_RESET_TIMEOUT), and leads to the sign-in."""

    template_name = "butler_site/invitation.html"

    def get_success_url(self) -> str:
        """The admin, which asks to sign in."""
        return links.url("admin")

    @transaction.atomic
    def form_valid(self, form: "SetPasswordForm[Any]") -> HttpResponse:
        """Set the password and record it."""
        response = super().form_valid(form)
        audit.record(
            actor=person_with(self.request, form.user.get_username()),
            action=Action.USER_CHANGE_PASSWORD,
            subject=f"user:{form.user.pk}",
            at=timezone.now(),
        )
        return response
