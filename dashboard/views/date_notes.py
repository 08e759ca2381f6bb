"""Notes on dates, which charts show."""

from datetime import date

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from common import links
from reports import services as reports
from reports.models import DateNote
from security.request_actor import person_of


class NoteForm(forms.Form):
    """A day, and what happened on it."""

    noted_on = forms.DateField(
        label="Day",
        widget=forms.DateInput({"type": "date"}),
    )
    text = forms.CharField(label="What happened", max_length=200)

    def clean_noted_on(self) -> date:
        """A day that charts can show."""
        day: date = self.cleaned_data["noted_on"]
        if not 2000 <= day.year < 9000:
            raise forms.ValidationError("Use a day from the year 2000 on.")
        return day


@staff_member_required
@permission_required("reports.add_datenote", raise_exception=True)
@require_POST
def add_note(request: HttpRequest) -> HttpResponse:
    """POST /reports/notes: add a note."""
    form = NoteForm(request.POST)
    if form.is_valid():
        reports.add_note(**form.cleaned_data, actor=person_of(request), now=timezone.now())
        messages.success(request, "The note is added.")
    else:
        errors = [str(error) for errors in form.errors.values() for error in errors]
        messages.error(request, f"The note is not added. {errors[0]}")
    return redirect(links.url("reports"))


@staff_member_required
@permission_required("reports.delete_datenote", raise_exception=True)
@require_POST
def delete_note(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /reports/notes/7/deletion: delete a note."""
    note = get_object_or_404(DateNote, pk=pk)
    reports.delete_note(note, actor=person_of(request), now=timezone.now())
    messages.success(request, "The note is deleted.")
    return redirect(links.url("reports"))
