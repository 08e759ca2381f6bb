"""The page on which a user changes their own password."""

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from butler_site.audit_actions import Action
from security import audit
from security.request_actor import person_of


@transaction.atomic
def password_change(request: HttpRequest) -> HttpResponse:
    """Django's page of the admin, in one transaction with its entry in the audit."""
    actor = person_of(request)
    response = admin.site.password_change(request)
    if request.method == "POST" and response.status_code == 302:  # it was changed
        audit.record(
            actor=actor,
            action=Action.USER_CHANGE_PASSWORD,
            subject=f"user:{request.user.pk}",
            at=timezone.now(),
        )
    return response
