"""The dialogs that ask before an action controls a task."""

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from orchestration.services.task_request import TOKENS_MAX


class RetryForm(BaseDialogForm):
    """Asks how many tokens to add to the budget."""

    additional_budget = forms.IntegerField(
        label="Tokens added to the budget",
        initial=0,
        min_value=0,
        max_value=TOKENS_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="The rest of the budget is used first.",
    )


CANCEL = {
    "title": "Cancel this task?",
    "description": "Running sub-agents stop within seconds. The tokens that they have used are "
    "charged. Existing results are kept.",
    "form_class": BaseDialogForm,
}
PAUSE = {
    "title": "Pause this task?",
    "description": "No further sub-task starts until you resume the task. "
    "Running sub-tasks continue.",
    "form_class": BaseDialogForm,
}
RESUME = {
    "title": "Resume this task?",
    "description": "Its deadline moves by the time that it was paused.",
    "form_class": BaseDialogForm,
}
RETRY = {
    "title": "Retry the failed sub-tasks?",
    "description": "Results of succeeded sub-tasks are kept. Failed and cancelled sub-tasks, and "
    "those that depend on them, start again.",
    "form_class": RetryForm,
}
APPROVE = {
    "title": "Approve this sub-task?",
    "description": "It starts as soon as its dependencies and the concurrency limits allow.",
    "form_class": BaseDialogForm,
}
