"""Providers: names and addresses."""

from django import forms
from django.contrib import admin
from unfold.decorators import display

from keys.admin import shown
from keys.admin.base import ServiceAdmin
from keys.models import Provider
from keys.refusals import WrongValue
from keys.services.people import check_slug


class ProviderForm(forms.ModelForm):
    """A provider; its slug is its name for life."""

    class Meta:
        model = Provider
        fields = ("slug", "name", "base_url")

    def clean_slug(self):
        """As services check it."""
        try:
            return check_slug(self.cleaned_data["slug"])
        except WrongValue as refusal:
            raise forms.ValidationError(refusal.detail) from None


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
        return ("slug", "name", "base_url", *(["api_keys"] if obj else []))

    @display(description="API keys")
    def api_keys(self, provider):
        """The list of its keys."""
        return shown.list_link("apikey", "its keys", provider__exact=provider.pk)
