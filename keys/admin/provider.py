"""Providers: names and addresses."""

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.decorators import display

from keys import services as keys
from keys.admin import shown
from keys.admin.base import ServiceAdmin
from keys.admin.limits import WhyForm
from keys.models import Provider
from keys.refusals import WrongValue
from keys.services.people import check_slug


class ProviderForm(WhyForm):
    """A provider; its slug is its name for life, its address is where its keys' secrets go."""

    class Meta:
        model = Provider
        fields = ("slug", "name", "base_url")

    def clean_slug(self):
        """As services check it."""
        try:
            return check_slug(self.cleaned_data["slug"])
        except WrongValue as refusal:
            raise forms.ValidationError(refusal.detail) from None

    def clean(self):
        """Adding needs no reason beyond itself."""
        if self.instance._state.adding:
            self.cleaned_data["why"] = "added"
        return super().clean()


@admin.register(Provider)
class ProviderAdmin(ServiceAdmin):
    """Who sells tokens."""

    form = ProviderForm
    list_display = ("slug", "name", "base_url", "api_keys")
    search_fields = ("slug__startswith",)
    ordering = ("slug",)

    def get_readonly_fields(self, request, obj=None):
        """Its slug is its name for life."""
        return ("slug", "api_keys") if obj else ()

    def get_fields(self, request, obj=None):
        """A new one has no keys to show."""
        return ("slug", "name", "base_url", *(["api_keys", "why"] if obj else []))

    def save_model(self, request, obj, form, change):
        """Hand what was written to the services."""
        by = {"who": request.user.get_username(), "now": timezone.now()}
        about = {"name": obj.name, "base_url": obj.base_url}
        if change:
            keys.change_provider(obj.pk, **about, why=form.cleaned_data["why"], **by)
        else:
            keys.add_provider(obj.pk, **about, **by)

    @display(description="API keys")
    def api_keys(self, provider):
        """The list of its keys."""
        return shown.list_link("apikey", "its keys", provider__exact=provider.pk)
