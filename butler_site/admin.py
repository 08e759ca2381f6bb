"""Users and groups in the admin, in its own style; every change of them is in the audit."""

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.socialaccount.admin import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.admin import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from butler_site.audit_actions import Action
from common.admin.lists import QuickList
from gate.admin.people import PeopleActions
from gate.queries import is_role, may_do_as_much
from security import audit
from security.request_actor import person_of

# Registered by allauth, for nobody to read: they hold the keys of second factors.
for _model in (Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(_model)
admin.site.unregister(User)
admin.site.unregister(Group)


class RecordedAdmin(QuickList):
    """A model that Django's own forms write; this class records each write in the audit.

    Django calls `log_addition` and the other two at the end of each write. They record in the same
    transaction. Views of single rows open one; `response_action` opens one for many rows.
    """

    def values(self, obj: Any) -> dict[str, Any]:
        """What the audit keeps of the row: never a password."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django's permissions say."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Save the row; its old values are kept until the change is recorded."""
        if change:
            obj.values_before = self.values(self.model.objects.select_for_update().get(pk=obj.pk))
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that the row was added."""
        self._record(request, obj, "add", after=self.values(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record the change of the row. If `save_model` was not called, the password changed."""
        before, after = getattr(obj, "values_before", None), self.values(obj)
        if before is None:
            self._record(request, obj, "change_password")
        elif before != after:
            self._record(request, obj, "change", before=before, after=after)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Record the deletion of the rows, which Django deletes next."""
        for obj in queryset:
            self._record(request, obj, "delete", before=self.values(obj))

    @transaction.atomic
    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Run an action on many rows, such as deleting them, in one transaction with its record."""
        return super().response_action(request, queryset)

    def _record(self, request: HttpRequest, obj: Any, verb: str, **sides: Any) -> None:
        audit.record(
            actor=person_of(request),
            action=Action(f"{self.opts.model_name}.{verb}"),
            subject=self.audit_subject(obj),
            at=timezone.now(),
            **sides,
        )


@admin.register(User)
class UserAdmin(PeopleActions, DjangoUserAdmin, RecordedAdmin):
    """Who may sign in, and what they may do.

    With the permissions for users, staff can add users and change names and passwords, but only of
    users who may do nothing that they may not do themselves. What a user may do is for superusers,
    except for roles and cost centres: see `PeopleActions`.
    """

    _RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def audit_subject(self, obj: User) -> str:
        """The user as the audit names it."""
        return f"user:{obj.pk}"

    def values(self, obj: User) -> dict[str, Any]:
        """The user's names and permissions."""
        return {
            "username": obj.get_username(),
            "email": obj.email,
            "first_name": obj.first_name,
            "last_name": obj.last_name,
            "active": obj.is_active,
            "staff": obj.is_staff,
            "superuser": obj.is_superuser,
            "groups": _names(obj.groups.values_list("name", flat=True)),
            "permissions": _names(obj.user_permissions.values_list("codename", flat=True)),
        }

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django's permissions say, but not a user who may do more."""
        return _may_do_as_much(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django's permissions say, but not a user who may do more."""
        return _may_do_as_much(request, obj) and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Also what a user may do, unless a superuser asks."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *self._RIGHTS)

    @transaction.atomic
    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Django's view, in one transaction with its record."""
        return super().user_change_password(request, id, form_url)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, RecordedAdmin):
    """Permissions that several users share; superusers set them, except those of roles."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers. The permissions of a role are data, and come back with each migration."""
        return bool(request.user.is_superuser) and not (obj and is_role(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers, as for changing."""
        return self.has_change_permission(request, obj)

    def values(self, obj: Group) -> dict[str, Any]:
        """The group's name and permissions."""
        return {
            "name": obj.name,
            "permissions": _names(obj.permissions.values_list("codename", flat=True)),
        }


def _may_do_as_much(request: HttpRequest, user: User | None) -> bool:
    return user is None or may_do_as_much(request.user, user)


def _names(names: QuerySet[Any, str]) -> list[str]:
    return sorted(names)
