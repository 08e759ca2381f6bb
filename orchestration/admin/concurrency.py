"""Concurrency limits: how many attempts of a scope run at once."""

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common.admin import widgets
from common.admin.service_forms import ServiceAdmin
from common.refusal import Refusal
from orchestration import services
from orchestration import widgets as task_widgets
from orchestration.models import Concurrency
from orchestration.queries.pages import running_by_scope
from security.request_actor import person_of

_KINDS_WITH_PAGE = ("centre", "provider")
_RULE = (
    "At most so many sub-agents run at once; others wait for their turn. Every limit counts: of "
    "all, of a cost centre with all below it, of a provider, of a runner. Lowering one stops "
    "nothing that runs."
)


class ConcurrencyForm(forms.ModelForm):
    """A scope that there is, and a number."""

    scope = forms.CharField(
        max_length=110,
        widget=UnfoldAdminTextInputWidget(),
        help_text="all, centre:<cost centre>, provider:<provider> or runner:<runner>, "
        "for example centre:research.",
    )
    attempts_max = forms.IntegerField(
        label="Sub-agents at once",
        min_value=0,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="0: none begins.",
    )

    class Meta:
        model = Concurrency
        fields = ("scope", "attempts_max")

    def clean_scope(self):
        """As the service checks it, so that the words stand beside the field."""
        try:
            services.check_scope(self.cleaned_data["scope"])
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        return self.cleaned_data["scope"]


class ConcurrencyList(ChangeList):
    """Limits with what runs now, in one more query."""

    def get_results(self, request):
        """As always, then what runs."""
        super().get_results(request)
        running, self.result_list = running_by_scope(), list(self.result_list)
        for limit in self.result_list:
            limit.running = running.get(limit.scope, 0)


@admin.register(Concurrency)
class ConcurrencyAdmin(ServiceAdmin):
    """Limits by scope."""

    form = ConcurrencyForm
    list_display = ("scope", "of_what", "running_now")
    search_fields = ("scope__startswith",)
    search_help_text = "The beginning of a scope, such as centre:"
    ordering = ("scope",)
    fieldsets = ((None, {"fields": ("scope", "attempts_max"), "description": _RULE}),)

    def get_changelist(self, request, **kwargs):
        """A list that knows what runs."""
        return ConcurrencyList

    def has_delete_permission(self, request, obj=None):
        """Without a row there is no limit."""
        return request.user.has_perm("orchestration.delete_concurrency")

    def get_readonly_fields(self, request, obj=None):
        """Another scope is another limit."""
        return ("scope",) if obj else ()

    def save_model(self, request, obj, form, change):
        """Hand what was written to the service."""
        services.set_concurrency(
            obj.scope,
            attempts_max=form.cleaned_data["attempts_max"],
            actor=person_of(request),
            now=timezone.now(),
        )
        obj.pk = Concurrency.objects.only("pk").get(scope=obj.scope).pk

    def delete_view(self, request, object_id, extra_context=None):
        """As Django's, but in no transaction: the service opens its own."""
        return self._delete_view(request, object_id, extra_context)

    def delete_model(self, request, obj):
        """By the service."""
        services.remove_concurrency(obj.scope, actor=person_of(request), now=timezone.now())

    def delete_queryset(self, request, queryset):
        """One after the other."""
        for limit in queryset:
            self.delete_model(request, limit)

    @display(description="Sub-agents running now")
    def running_now(self, limit):
        """A bar and its figures."""
        return task_widgets.tokens_bar(used=limit.running, lent=0, of=limit.attempts_max)

    @display(description="Of what")
    def of_what(self, limit):
        """The page of what it limits."""
        kind, _, name = limit.scope.partition(":")
        if kind in _KINDS_WITH_PAGE:
            return widgets.link(kind, name)
        return name or "every attempt"
