"""Providers: their names, base URLs and wire formats."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.admin import widgets
from keys import services as keys
from keys.admin.base_urls import BaseUrlForm
from keys.admin.freeze import FreezableAdmin
from keys.admin.limits import AddForm, ReasonedForm
from keys.models import Provider
from security.request_actor import person_of

_ABOUT = ("name", "base_url", "wire_format")


class AddProviderForm(BaseUrlForm, AddForm):
    """The form to add a provider."""

    class Meta:
        model = Provider
        fields = ("slug", *_ABOUT)


class ChangeProviderForm(BaseUrlForm, ReasonedForm):
    """The form to change a provider. Another base URL switches its keys off: their secrets are
    entered again."""

    class Meta:
        model = Provider
        fields = _ABOUT


@admin.register(Provider)
class ProviderAdmin(FreezableAdmin):
    """The list and the page of providers."""

    subject_kind = "provider"
    actions_detail = ("freeze",)
    list_display = ("slug", *_ABOUT, "api_keys")
    search_fields = ("slug__startswith",)
    ordering = ("slug",)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """The form to add a provider, or to change one."""
        kwargs["form"] = ChangeProviderForm if change else AddProviderForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """The slug, which cannot be changed once the provider exists."""
        return ("slug", "api_keys") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """The fields of the form; a new provider has no API keys yet."""
        return ("slug", *_ABOUT, *(["api_keys", "reason"] if obj else []))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Add or change the provider by its service."""
        by: dict[str, Any] = {"actor": person_of(request), "now": timezone.now()}
        about: dict[str, Any] = {column: getattr(obj, column) for column in _ABOUT}
        if not change:
            keys.add_provider(obj.pk, **about, **by)
        elif set(form.changed_data) & set(_ABOUT):
            keys.change_provider(obj.pk, **about, reason=form.cleaned_data["reason"], **by)

    @display(description="API keys")
    def api_keys(self, provider: Provider) -> SafeString | str:
        """A link to the API keys of the provider."""
        return widgets.list_link("keys", "API keys of this provider", provider=provider.pk)
