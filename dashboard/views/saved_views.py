"""Saved views: keep the filters of a page under a name, rename, share and delete them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import NoReverseMatch
from django.utils import timezone
from django.views.decorators.http import require_POST

from common import links
from common.refusal import Refusal
from reports import services as reports
from reports.models import SavedView

# Parameters that are no part of the question a view asks.
_LEFT_OUT = ("format", "excel", "table", "after")


class ChangeForm(forms.Form):
    """The name of a view, and whether others see it."""

    name = forms.CharField(max_length=100)
    is_shared = forms.BooleanField(required=False)


class SaveForm(ChangeForm):
    """Which page the view is of, and its query string."""

    page = forms.CharField(max_length=64)
    query = forms.CharField(max_length=2000, required=False)

    def clean_page(self) -> str:
        """The kind of a page that opens without the key of a row."""
        kind: str = self.cleaned_data["page"]
        try:
            links.url(kind)
        except (KeyError, NoReverseMatch, TypeError):
            raise ValidationError("This page keeps no views.") from None
        return kind

    def clean_query(self) -> str:
        """The query without what is no part of the question."""
        query = QueryDict(self.cleaned_data["query"], mutable=True)
        for name in _LEFT_OUT:
            query.pop(name, None)
        return query.urlencode()


@staff_member_required
@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """POST /reports/views: save a view, and open it."""
    form = SaveForm(request.POST)
    if not form.is_valid():
        return _back(request, _first_error(form))
    values = form.cleaned_data
    try:
        view = reports.save_view(
            owner=request.user,  # type: ignore[arg-type]  # who has signed in
            page=values["page"],
            name=values["name"],
            query=values["query"],
            shared_at=_shared_at(form),
        )
    except Refusal as refusal:
        return _back(request, refusal.detail)
    messages.success(request, f"The view {view.name} is saved.")
    return redirect(view.url)


@staff_member_required
@require_POST
def change_view(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /reports/views/7: rename or share an own view."""
    view, form = _own(request, pk), ChangeForm(request.POST)
    if not form.is_valid():
        return _back(request, _first_error(form))
    try:
        reports.change_view(view, name=form.cleaned_data["name"], shared_at=_shared_at(form))
    except Refusal as refusal:
        return _back(request, refusal.detail)
    return _back(request)


@staff_member_required
@require_POST
def delete_view(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /reports/views/7/deletion: delete an own view."""
    view = _own(request, pk)
    reports.delete_view(view)
    messages.success(request, f"The view {view.name} is deleted.")
    return _back(request)


def _own(request: HttpRequest, pk: int) -> SavedView:
    return get_object_or_404(SavedView, owner=request.user, pk=pk)


def _shared_at(form: ChangeForm) -> Any:
    return timezone.now() if form.cleaned_data["is_shared"] else None


def _first_error(form: forms.Form) -> str:
    return next(str(error) for errors in form.errors.values() for error in errors)


def _back(request: HttpRequest, error: str = "") -> HttpResponse:
    if error:
        messages.error(request, error)
    return redirect(links.url("reports"))
