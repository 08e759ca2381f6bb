"""Actions that ask before they do something: by POST, in a dialog of django-unfold."""

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget


class NoteForm(BaseDialogForm):
    """Asks for a note, which may be empty."""

    note = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
