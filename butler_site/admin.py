"""Users and groups in the admin, in its own style; every change of them is in the audit."""

from typing import Any

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
from security import audit
from security.request_actor import person_of

admin.site.unregister(User)
admin.site.unregister(Group)


class RecordedAdmin(QuickList):
    """A model that Django's own forms write: what they write is recorded in the audit here.

    Django calls `log_addition` and the other two at the end of each write. They record in the same
    transaction, which the views of single rows open and which actions on many rows get here.
    """

    def values(self, obj: Any) -> dict[str, Any]:
        """What the audit keeps of the row: never a password."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As Django's permissions say."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Save the row; what it was before is kept until the change is recorded."""
        if change:
            obj.values_before = self.values(self.model.objects.select_for_update().get(pk=obj.pk))
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that the row was added."""
        self._record(request, obj, "add", after=self.values(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that the row was changed; without `save_model`, the password was."""
        before, after = getattr(obj, "values_before", None), self.values(obj)
        if before is None:
            self._record(request, obj, "change_password")
        elif before != after:
            self._record(request, obj, "change", before=before, after=after)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Record what is deleted next."""
        for obj in queryset:
            self._record(request, obj, "delete", before=self.values(obj))

    @transaction.atomic
    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Actions on many rows, such as to delete them, in one transaction with their record."""
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
class UserAdmin(DjangoUserAdmin, RecordedAdmin):
    """Who may sign in, and what they may do."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def values(self, obj: User) -> dict[str, Any]:
        """What the user is called and may do."""
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

    @transaction.atomic
    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Django's view, in one transaction with its record."""
        return super().user_change_password(request, id, form_url)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, RecordedAdmin):
    """Permissions that many have."""

    def values(self, obj: Group) -> dict[str, Any]:
        """What the group is called and allows."""
        return {
            "name": obj.name,
            "permissions": _names(obj.permissions.values_list("codename", flat=True)),
        }


def _names(found: QuerySet[Any, str]) -> list[str]:
    return sorted(found)
