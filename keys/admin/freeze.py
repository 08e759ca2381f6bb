"""Freezes: the button on what can be frozen, the list, and the page on which one is thawed."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, reason_field, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from common.admin.service_forms import ServiceAdmin
from keys import services as keys
from keys.books.queries.freezes import freezes_of
from keys.models import EVERYTHING, Freeze, FreezeMode
from security.reauthentication import reauthenticated
from security.request_actor import person_of


class FreezeForm(BaseDialogForm):
    """Asks what happens to running calls, and why."""

    mode = forms.ChoiceField(
        label="Running calls",
        choices=FreezeMode.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="Calls that are ended are charged by what came of them.",
    )
    reason = reason_field()


_FREEZE = {
    "title": "Freeze",
    "description": "No call is made for it, by no process, until somebody else thaws it.",
    "form_class": FreezeForm,
    "form_submit_text": "Freeze",
}
_FREEZE_EVERYTHING = {
    **_FREEZE,
    "title": "Freeze everything",
    "description": "No call is made for anybody, by no process, until somebody else thaws it.",
}
_THAW = {
    "title": "Thaw",
    "description": "Calls are made for it again. Somebody other than who froze it must do this.",
    "form_class": ReasonForm,
    "form_submit_text": "Thaw",
}


def freeze_scope(request: HttpRequest, form: BaseDialogForm, scope: str, page: str) -> HttpResponse:
    """Freeze in the name of the user, then go to `page`."""
    verb = partial(
        keys.freeze,
        scope,
        mode=form.cleaned_data["mode"],
        reason=form.cleaned_data["reason"],
        actor=person_of(request),
        now=timezone.now(),
    )
    perform(request, verb, success=f"{scope} is frozen.")
    return redirect_to(request, page)


class FreezableAdmin(ServiceAdmin):
    """The page of what can be frozen: it has the button, and says what is frozen.

    `subject_kind`: the prefix of its scopes, such as `key`. Name `freeze` in `actions_detail`.
    """

    subject_kind: str

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page, which says of each freeze that stops the row who made it, when and why."""
        subject = kwargs.get("obj")
        if subject and request.method == "GET":
            for row in freezes_of(subject):
                messages.warning(
                    request,
                    f"{row.scope} is frozen by {row.frozen_by_name} since "
                    f"{row.frozen_at:%Y-%m-%d %H:%M} UTC: {row.reason}",
                )
        return super().render_change_form(request, context, *args, **kwargs)

    def has_freeze_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may freeze."""
        return request.user.has_perm("keys.add_freeze")

    @action(description="Freeze", permissions=["freeze"], dialog=_FREEZE)
    def freeze(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Freeze the row."""
        page = links.url(self.subject_kind, object_id)
        return freeze_scope(request, form, f"{self.subject_kind}:{object_id}", page)


@admin.register(Freeze)
class FreezeAdmin(ReadOnlyAdmin):
    """The list of freezes, newest first, and the page of one."""

    list_display = ("id", "subject", "status", "mode", "reason", "who_froze", "frozen_at")
    list_filter = (("thawed_at", admin.EmptyFieldListFilter), "mode")
    search_fields = ("scope__exact",)
    search_help_text = "What is frozen, such as key:nvidia-1 or all"
    ordering = ("-id",)
    actions_list = ("freeze_everything",)
    actions_detail = ("thaw",)
    fieldsets = (
        (None, {"fields": ("subject", "status", "mode", "reason", "who_froze", "frozen_at")}),
        ("Thaw", {"fields": ("who_thawed", "thaw_reason", "thawed_at")}),
    )

    def audit_subject(self, obj: Freeze) -> str:
        """The freeze, which the audit entries name."""
        return f"freeze:{obj.pk}"

    def has_freeze_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may freeze everything."""
        return request.user.has_perm("keys.add_freeze")

    def has_thaw_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may thaw what somebody else froze."""
        return request.user.has_perm("keys.change_freeze")

    @display(description="What")
    def subject(self, row: Freeze) -> SafeString | str:
        """What is frozen, as a link."""
        return "everything" if row.scope == EVERYTHING else widgets.subject_link(row.scope)

    @display(description="Status")
    def status(self, row: Freeze) -> SafeString:
        """Whether it is frozen now."""
        if row.thawed_at:
            return widgets.badge("thawed")
        return widgets.badge("frozen", "danger")

    @display(description="Frozen by")
    def who_froze(self, row: Freeze) -> str:
        """Who froze it."""
        return row.frozen_by_name

    @display(description="Thawed by")
    def who_thawed(self, row: Freeze) -> str:
        """Who thawed it."""
        return row.thawed_by_name or "-"

    @action(
        description="Freeze everything",
        permissions=["freeze"],
        dialog=_FREEZE_EVERYTHING,
    )
    def freeze_everything(self, request: HttpRequest, form: BaseDialogForm) -> HttpResponse:
        """Freeze all spending."""
        return freeze_scope(request, form, EVERYTHING, links.url("freezes"))

    @action(description="Thaw", permissions=["thaw"], dialog=_THAW)
    @reauthenticated
    def thaw(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Thaw what is frozen."""
        verb = partial(
            keys.thaw,
            int(object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, verb, success="It is thawed.")
        return redirect_to(request, links.url("freeze", object_id))
