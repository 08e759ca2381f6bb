"""API keys: their limits and terms change with a reason; a secret is stored but never shown."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from common import formatting, links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, redirect_to
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.api_key_forms import AddKeyForm, ChangeKeyForm
from keys.admin.dialogs import ModelsForm, RatesForm, SecretForm, show_proposed
from keys.admin.limits import LimitedAdmin
from keys.admin.places import KeyPlaces
from keys.books.queries import pages
from keys.models import ApiKey
from security import queries as security
from security.models import Approval
from security.request_actor import person_of

STATUS_COLOURS = {
    "active": "success",
    "inactive": "default",
    "exhausted": "warning",
    "cooling": "info",
    "suspended": "warning",
    "broken": "danger",
}
_ON = {
    "title": "Switch this key on",
    "description": "Butler lends tokens on this key again.",
    "form_class": ReasonForm,
}
_OFF = {
    "title": "Switch this key off",
    "description": "Butler lends no more tokens on this key and moves its live allocations to "
    "other keys.",
    "form_class": ReasonForm,
}
_SECRET = {
    "title": "Replace the secret",
    "description": "Calls that start from now on use the new secret.",
    "form_class": SecretForm,
}
_MODELS = {
    "title": "Set the models that this key serves",
    "description": "",
    "form_class": ModelsForm,
}
_PRICE = {
    "title": "Set the cost of this key",
    "description": "The new cost applies from now on. Earlier charges keep their cost.",
    "form_class": RatesForm,
}
_REASON = "Enter a reason whenever you change a value above or a limit below."


@admin.register(ApiKey)
class ApiKeyAdmin(KeyPlaces, LimitedAdmin):
    """The list of API keys with their usage, and the page of one."""

    subject_kind = "key"
    list_display = (
        "slug",
        "provider_name",
        "model",
        "status_label",
        "secret_state",
        "priority",
        "usage",
    )
    list_filter = ("status", "provider")
    search_fields = ("slug__startswith", "provider__exact")
    search_help_text = "The beginning of a key's name, or a provider"
    ordering = ("-priority", "slug")
    sortable_by = ("priority", "slug")
    actions_list = ("test_several",)
    actions_detail = (
        "test",
        "switch_on",
        "switch_off",
        "replace_secret",
        "set_models",
        "set_cost",
        *KeyPlaces.actions_of_place,
        "freeze",
    )
    readonly_fields = (
        "slug",
        "provider_link",
        "model",
        "status_label",
        "secret_state",
        "cost",
        "models",
        "rows",
    )
    fieldsets = (
        (None, {"fields": ("slug", "status_label", "secret_state")}),
        (
            "Terms",
            {
                "fields": (
                    "provider_link",
                    "model",
                    "base_url",
                    "new_secret",
                    "sandbox",
                    "priority",
                    "requests_per_minute",
                    "tokens_per_minute",
                    "passed_fields",
                    "cost",
                    "models",
                    "rows",
                )
            },
        ),
        ("Reason for your change", {"fields": ("reason",), "description": _REASON}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "provider", "model", "serves", "new_secret")}),
        (
            "Terms",
            {
                "fields": (
                    "base_url",
                    "sandbox",
                    "priority",
                    "requests_per_minute",
                    "tokens_per_minute",
                    "passed_fields",
                    "input_rate",
                    "output_rate",
                    "cost_is_meant",
                )
            },
        ),
        (
            "Reason",
            {"fields": ("reason",), "description": "A reason is required if you set limits below."},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """API keys with the price, limits and open windows that their rows show."""
        rows = super().get_queryset(request).select_related("price")
        return rows.prefetch_related(pages.limits_with_windows())

    def offered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """None that is hidden."""
        return rows.filter(hidden_at=None)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """The form to add a key, or to change one."""
        kwargs["form"] = ChangeKeyForm if change else AddKeyForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """The values that are fixed once the key exists. Who may add no key moves none either: a
        secret goes with the base URL."""
        if obj is None:
            return ()
        moves = () if self.has_custody_permission(request) else ("base_url", "sandbox")
        return (*self.readonly_fields, *moves)

    def has_custody_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may enter secrets: the permission to add API keys."""
        return request.user.has_perm("keys.add_apikey")

    @method_decorator(sensitive_post_parameters("new_secret"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of a key. Error reports do not contain the secret."""
        return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Add or change the key by its service."""
        actor, now = person_of(request), timezone.now()
        if not change:
            secret = form.cleaned_data["new_secret"]
            keys.add_key(obj.pk, terms=form.terms, secret=secret, actor=actor, now=now)
        elif form.changes:
            keys.change_key(
                obj.pk,
                changes=form.changes,
                secret=form.secret,
                reason=form.cleaned_data["reason"],
                actor=actor,
                now=now,
            )

    def audit_subject(self, obj: ApiKey) -> str:
        """The key as the audit names it."""
        return obj.scope

    @display(description="Provider")
    def provider_name(self, api_key: ApiKey) -> SafeString | str:
        """The provider's slug, without reading the provider's row."""
        return api_key.provider_id

    @display(description="Provider")
    def provider_link(self, api_key: ApiKey) -> SafeString | str:
        """The provider, as a link."""
        return widgets.link("provider", api_key.provider_id)

    @display(description="Status")
    def status_label(self, api_key: ApiKey) -> SafeString | str:
        """The status as a coloured label, with its reason."""
        label = widgets.badge(api_key.status, STATUS_COLOURS[api_key.status])
        words = [] if api_key.status == ApiKey.Status.ACTIVE else [api_key.status_reason]
        if api_key.status in (ApiKey.Status.COOLING, ApiKey.Status.SUSPENDED):
            words.append(f"until {api_key.cooling_until:%Y-%m-%d %H:%M} UTC")
        return format_html("{} <small>{}</small>", label, ", ".join(filter(None, words)))

    @display(description="Secret")
    def secret_state(self, api_key: ApiKey) -> SafeString | str:
        """Whether the secret can be unsealed; the secret itself is never shown."""
        if api_key.secret is None:
            return "none yet"
        if security.unsealable_reason(api_key, "secret"):
            return widgets.badge("cannot be unsealed", "danger")
        return widgets.badge("sealed")

    @display(description="Used and committed")
    def usage(self, api_key: ApiKey) -> SafeString | str:
        """A bar for each limit of the key."""
        now = timezone.now()
        return book_widgets.meters(pages.meters_of(api_key, now=now), now=now)

    @display(description="Cost per 1,000 tokens")
    def cost(self, api_key: ApiKey) -> SafeString | str:
        """The current price, as a link to its line of the price book."""
        price = api_key.price
        words = f"{formatting.dollars(price.input)} in, {formatting.dollars(price.output)} out"
        return format_html("{} ({})", widgets.link("price", price.pk, words), price.source)

    @display(description="Models and their cost per 1,000 tokens")
    def models(self, api_key: ApiKey) -> SafeString | str:
        """Every model that the key serves, each with a link to its price."""
        served = api_key.served_models.select_related("model", "price").order_by("model__name")
        return widgets.separated(
            widgets.link("price", row.price_id, row.model.name) for row in served
        )

    @display(description="Records")
    def rows(self, api_key: ApiKey) -> SafeString | str:
        """Links to the allocations and charges on the key."""
        which = {"api_key": api_key.pk}
        return widgets.separated(
            [
                widgets.list_link("allocations", "allocations", **which),
                widgets.list_link("charges", "charges", **which),
            ]
        )

    @action(description="Test keys", permissions=["change"])
    def test_several(self, request: HttpRequest) -> HttpResponse:
        """Open the page that asks the providers whether they accept keys."""
        return redirect_to(request, links.url("key_tests"))

    @action(description="Test", permissions=["change"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Open the dialog that asks the provider whether it accepts the key."""
        return redirect_to(request, links.url("key", object_id, act="test"))

    @action(description="Switch on", permissions=["change"], dialog=_ON)
    def switch_on(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Set the status to active."""
        return self._set_status(request, form, object_id, ApiKey.Status.ACTIVE)

    @action(description="Switch off", permissions=["change"], dialog=_OFF)
    def switch_off(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set the status to inactive."""
        return self._set_status(request, form, object_id, ApiKey.Status.INACTIVE)

    @method_decorator(sensitive_post_parameters("secret"))
    @action(description="Replace secret", permissions=["custody"], dialog=_SECRET)
    def replace_secret(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Seal a new secret into the key."""
        verb = partial(keys.replace_secret, secret=form.cleaned_data["secret"])
        return self._perform(request, form, object_id, verb, "The secret was replaced.")

    @action(description="Set models", permissions=["change"], dialog=_MODELS)
    def set_models(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Replace the list of models that the key serves."""
        verb = partial(keys.propose_served_models, serves=form.models, rates=form.rates)
        return self._propose(request, form, object_id, verb, "The models were set.")

    @action(description="Set cost", permissions=["change"], dialog=_PRICE)
    def set_cost(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Write a line of the price book for this key."""
        verb = partial(keys.propose_price, rates=form.rates)
        return self._propose(request, form, object_id, verb, "The cost was set.")

    def _set_status(
        self, request: HttpRequest, form: BaseDialogForm, slug: str, status: str
    ) -> HttpResponse:
        service = partial(keys.set_key_status, status=status)
        return self._perform(request, form, slug, service, f"The API key {slug} is {status}.")

    def _perform(
        self,
        request: HttpRequest,
        form: BaseDialogForm,
        slug: str,
        service: Callable[..., object],
        success: str,
    ) -> HttpResponse:
        """Call a service in the name of the user, then return to the key's page."""
        reason, actor = form.cleaned_data["reason"], person_of(request)
        call = partial(service, slug, reason=reason, actor=actor, now=timezone.now())
        perform(request, call, success=success)
        return redirect_to(request, links.url("managed_key", slug))

    def _propose(
        self,
        request: HttpRequest,
        form: BaseDialogForm,
        slug: str,
        service: Callable[..., Approval | None],
        success: str,
    ) -> HttpResponse:
        """As `_perform`, for a service that may ask for an approval instead."""

        def propose(*args: Any, **by: Any) -> None:
            show_proposed(request, service(*args, **by), success=success)

        return self._perform(request, form, slug, propose, "")
