"""Forms of the admin whose input goes to services, in the name of the user who is signed in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from common.admin.lists import QuickList
from common.refusal import Refusal


class _NoTransaction(admin.ModelAdmin):
    """Comes after django-unfold's admin in the order of bases: services open the transaction."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Django's view outside a transaction; a refusal becomes a message on the same page."""
        try:
            # The stubs leave this method of Django's out.
            view: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
            return view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(request.get_full_path())


class ServiceAdmin(QuickList, _NoTransaction):
    """A model whose `save_model` and `save_formset` call services and write no row themselves."""

    def save_related(
        self,
        request: HttpRequest,
        form: ModelForm,
        formsets: list[BaseInlineFormSet],
        change: bool,
    ) -> None:
        """Hand each formset to `save_formset`; there are no many-to-many fields to save."""
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)
