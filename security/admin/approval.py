"""The inbox of approvals, and the policies that say which changes need one."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, reason_field, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from common.admin.service_forms import ServiceAdmin
from security import approvals, persons, services
from security.deciders import may_decide
from security.models import Approval, ApprovalPolicy
from security.request_actor import person_of

_COLOURS = {
    "asked": "warning",
    "approved": "success",
    "rejected": "danger",
    "withdrawn": "default",
    "expired": "default",
}
_APPROVE = {
    "title": "Approve this change",
    "description": "The change is made now, if what it was based on still holds.",
    "form_class": ReasonForm,
}
_REJECT = {
    "title": "Reject this change",
    "description": "Nothing is changed. Your reason is shown to who asked.",
    "form_class": ReasonForm,
}
_WITHDRAW = {
    "title": "Withdraw this change",
    "description": "Nothing is changed, and nobody has to decide any more.",
    "form_class": ReasonForm,
}

_MADE = "The change was made."


def _kind_label(slug: str) -> str:
    kind = approvals.all_kinds().get(slug)
    return kind.label if kind else slug


class KindFilter(admin.SimpleListFilter):
    """By the kind of change."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every kind that an app registered."""
        return [(slug, kind.label) for slug, kind in sorted(approvals.all_kinds().items())]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Approvals of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """The list of changes asked for, newest first, and the page of one with its effect."""

    list_display = (
        "status_label",
        "kind_label",
        "about",
        "who",
        "reason",
        "asked_at",
        "expires_at",
    )
    list_display_links = ("kind_label",)
    list_filter = ("status", KindFilter)
    search_fields = ("subject__exact",)
    search_help_text = "What would be changed: agent:ada, key:nvidia-1"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("status_label", "kind_label", "meaning", "about", "effect_lines")}),
        ("Who asked", {"fields": ("who", "reason", "asked_at", "expires_at")}),
        ("Who decides", {"fields": ("rule", "first_yes_by", "first_yes_reason")}),
        ("Who decided", {"fields": ("decider", "decided_at", "decided_reason")}),
    )
    readonly_fields = (
        *("status_label", "kind_label", "meaning", "about", "effect_lines"),
        *("who", "decider", "first_yes_by"),
    )
    actions_detail = ("approve_one", "reject_one", "withdraw_one")

    def audit_subject(self, obj: Approval) -> str:
        """The approval as the audit names it."""
        return obj.address

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether the user may decide approvals of this kind. Who asked is looked at later."""
        approval = self.get_object(request, object_id) if object_id else None
        kind = approval and approvals.all_kinds().get(approval.kind)
        return bool(kind and may_decide(request.user, kind))

    def has_withdraw_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether the user asked for the change."""
        approval = self.get_object(request, object_id) if object_id else None
        return approval is not None and persons.is_actor(
            request.user, name=approval.asked_by_name, kind=approval.asked_by_kind
        )

    @display(description="Status", ordering="status", label=_COLOURS)
    def status_label(self, approval: Approval) -> str:
        """The status as a coloured label."""
        return approval.status

    @display(description="Kind")
    def kind_label(self, approval: Approval) -> str:
        """The name of the kind in words."""
        return _kind_label(approval.kind)

    @display(description="Meaning")
    def meaning(self, approval: Approval) -> str:
        """What a change of this kind is."""
        kind = approvals.all_kinds().get(approval.kind)
        return kind.meaning if kind else ""

    @display(description="About")
    def about(self, approval: Approval) -> SafeString | str:
        """What would be changed."""
        return widgets.subject_link(approval.subject)

    @display(description="Effect")
    def effect_lines(self, approval: Approval) -> SafeString | str:
        """What the change does, in figures."""
        return widgets.block(approval.effect)

    @display(description="Asked by")
    def who(self, approval: Approval) -> str:
        """Who asked."""
        return approval.asked_by

    @display(description="First approved by")
    def first_yes_by(self, approval: Approval) -> str:
        """Who approved first, of two."""
        return approval.first_yes_by or widgets.NOTHING

    @display(description="Decided by")
    def decider(self, approval: Approval) -> str:
        """Who decided."""
        return approval.decided_by or widgets.NOTHING

    @action(description="Approve", permissions=["decide"], dialog=_APPROVE)
    def approve_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Make the change."""
        row = self.get_object(request, object_id)
        needs_another = row and row.second_yes and row.first_yes_at is None
        success = "A second person has to approve it, too." if needs_another else _MADE
        return self._end(request, form, object_id, services.approve, success)

    @action(description="Reject", permissions=["decide"], dialog=_REJECT)
    def reject_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Decide that the change is not made."""
        return self._end(request, form, object_id, services.reject, "The change was rejected.")

    @action(description="Withdraw", permissions=["withdraw"], dialog=_WITHDRAW)
    def withdraw_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Take back what the user asked for."""
        return self._end(request, form, object_id, services.withdraw, "The change was withdrawn.")

    def _end(
        self,
        request: HttpRequest,
        form: ReasonForm,
        object_id: str,
        verb: Callable[..., Approval],
        success: str,
    ) -> HttpResponse:
        ending = partial(
            verb,
            int(object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, ending, success=success)
        return redirect_to(request, links.url("recorded_approval", object_id))


class PolicyForm(forms.ModelForm):
    """The terms of a policy."""

    in_force = forms.BooleanField(
        required=False, help_text="Changes of this kind need a second person, as said below."
    )
    reason = reason_field()

    class Meta:
        model = ApprovalPolicy
        fields = ("tokens_above", "usd_above", "rise_percent_above", "role", "above_needs")
        labels: ClassVar[dict[str, str]] = {
            "usd_above": "USD above",
            "rise_percent_above": "Percent above",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who may only look has no such field.
        if above_needs := self.fields.get("above_needs"):
            above_needs.required = False
        self.initial["in_force"] = self.instance.in_force_since is not None

    @property
    def terms(self) -> services.PolicyTerms:
        """The entered terms."""
        entered = self.cleaned_data
        role: Group | None = entered["role"]
        return services.PolicyTerms(
            in_force=entered["in_force"],
            tokens_above=entered["tokens_above"],
            usd_above=entered["usd_above"],
            rise_percent_above=entered["rise_percent_above"],
            role=role.name if role else "",
            above_needs=entered["above_needs"] or ApprovalPolicy.Above.TWO,
        )


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(ServiceAdmin):
    """Which changes need a second person. There is a policy for each kind; those of a cost centre
    are added on the page of approvals."""

    form = PolicyForm
    list_display = ("kind_label", "cost_centre", "meaning", "status_label", "terms")
    list_select_related = ("role",)
    list_display_links = ("kind_label", "meaning")
    fields = (
        "kind_label",
        "cost_centre",
        "meaning",
        "in_force",
        "tokens_above",
        "usd_above",
        "rise_percent_above",
        "role",
        "above_needs",
        "reason",
    )
    readonly_fields = ("kind_label", "cost_centre", "meaning")
    ordering = ("kind", "cost_centre")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: there is a policy for each kind."""
        return False

    @display(description="Kind")
    def kind_label(self, policy: ApprovalPolicy) -> str:
        """The name of the kind in words."""
        return _kind_label(policy.kind)

    @display(description="Meaning")
    def meaning(self, policy: ApprovalPolicy) -> str:
        """What a change of this kind is."""
        kind = approvals.all_kinds().get(policy.kind)
        return kind.meaning if kind else ""

    @display(description="Status", label={"not in force": "default", "in force": "success"})
    def status_label(self, policy: ApprovalPolicy) -> str:
        """Whether the policy is in force."""
        return "in force" if policy.in_force_since else "not in force"

    @display(description="Terms")
    def terms(self, policy: ApprovalPolicy) -> str:
        """Which changes need a second person, in words."""
        kind = approvals.all_kinds().get(policy.kind)
        return services.terms_in_words(services.terms_of(policy), kind)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Change the policy, or ask for an approval."""
        approval = services.propose_policy(
            approvals.kind_of(obj.kind),
            terms=form.terms,
            cost_centre=obj.cost_centre,
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        if approval:
            messages.warning(request, f"A second person must approve this: {approval}.")
