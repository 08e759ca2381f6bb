"""Questions asked before a task is steered."""

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from orchestration.services.task_request import TOKENS_MAX


class RetryForm(BaseDialogForm):
    """Asks for more budget."""

    additional_budget = forms.IntegerField(
        label="Tokens added to the budget",
        initial=0,
        min_value=0,
        max_value=TOKENS_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="What is left of the budget is used first.",
    )


CANCEL = {
    "title": "Cancel this task?",
    "description": "What runs is stopped within seconds; what it used so far is charged. "
    "Results that are there stay.",
    "form_class": BaseDialogForm,
}
PAUSE = {
    "title": "Pause this task?",
    "description": "Nothing more begins until it is resumed; what runs goes on.",
    "form_class": BaseDialogForm,
}
RESUME = {
    "title": "Resume this task?",
    "description": "Its deadline moves by as long as it was paused.",
    "form_class": BaseDialogForm,
}
RETRY = {
    "title": "Run again what failed?",
    "description": "What succeeded stays; what failed or was cancelled, and what waited for it, "
    "begins anew.",
    "form_class": RetryForm,
}
APPROVE = {
    "title": "Approve this sub-task?",
    "description": "It begins as soon as its turn comes.",
    "form_class": BaseDialogForm,
}
