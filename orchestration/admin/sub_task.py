"""Sub-tasks with their results and attempts; a person approves those that wait for approval."""

from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from common import formatting, links
from common.admin import widgets
from common.admin.dialogs import perform, redirect_to
from orchestration import services
from orchestration import widgets as task_widgets
from orchestration.admin import dialogs
from orchestration.admin.control_permission import STEER, TaskControlAdmin
from orchestration.admin.sealed_texts import PageTexts, page_texts
from orchestration.admin.sub_task_table import elapsed
from orchestration.models import SubTask
from orchestration.queries import pages
from orchestration.queries.gates import can_be_approved
from orchestration.task_texts import description_of, result_of
from security.request_actor import person_of

_ATTEMPTS_SHOWN = 50
_DEPENDENCIES_SHOWN = 100
_NOTHING = (0, Decimal(0))
_OF_TASK = "task__id__exact"


class SubTaskList(ChangeList):
    """A page of sub-tasks with their tokens and cost, which takes one more query."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's results, then what the attempts of each used."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        spent = pages.spent_by_sub_task([sub_task.pk for sub_task in self.result_list])
        for sub_task in self.result_list:
            vars(sub_task)["loaded_spending"] = spent.get(sub_task.pk, _NOTHING)


@admin.register(SubTask)
class SubTaskAdmin(TaskControlAdmin):
    """Sub-tasks, the newest first; those of one task in the order of its plan."""

    list_display = (
        "title",
        "task_link",
        "number",
        "status_label",
        "tokens_of_share",
        "cost_text",
        "duration",
    )
    list_filter = ("status",)
    list_select_related = ("task",)
    search_fields = ("name__icontains", "key__exact")
    search_help_text = "A part of a sub-task's name, or its id in the plan"
    actions_detail = ("approve",)
    change_form_after_template = "orchestration/attempts_below.html"
    fieldsets = (
        (
            None,
            {"fields": ("title", "task_link", "status_label", "description_text", "result_text")},
        ),
        ("Budget and time", {"fields": ("tokens_of_share", "cost_text", "duration", "approval")}),
        (
            "Terms",
            {
                "classes": ("collapse",),
                "fields": (
                    "number",
                    "key",
                    "priority",
                    "dependencies",
                    "estimate_text",
                    "runner",
                    "model_and_provider",
                    "retries",
                    "recoveries",
                ),
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list with tokens and cost."""
        return SubTaskList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Sub-tasks without their long texts; the page of one loads its own."""
        return super().get_queryset(request).defer("sealed_description", "sealed_result")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By an index: the newest first; those of one task in the order of its plan."""
        return ("position",) if _OF_TASK in request.GET else ("-id",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The task's page links to this list."""
        return lookup == _OF_TASK or super().lookup_allowed(lookup, value, request)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """The form with the attempts below it."""
        context |= {"butler_attempts": _attempts(obj)}
        vars(obj)["page_texts"] = page_texts(request, obj.task, subject=f"sub_task:{obj.pk}")
        return super().render_change_form(request, context, add, change, form_url, obj)

    def audit_subject(self, obj: SubTask) -> str:
        """The sub-task, whose page is one of the dashboard."""
        return f"sub_task:{obj.pk}"

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """The action to approve, if the sub-task waits for approval."""
        allowed = super().get_actions_detail(request, object_id)
        sub_task = self.get_object(request, object_id)
        return allowed if sub_task and can_be_approved(sub_task) else []

    @display(description="Sub-task")
    def title(self, sub_task: SubTask) -> SafeString | str:
        """The name."""
        return sub_task.name

    @display(description="Task")
    def task_link(self, sub_task: SubTask) -> SafeString | str:
        """A link to the task."""
        return widgets.link("recorded_task", sub_task.task_id, sub_task.task.name)

    @display(description="Number")
    def number(self, sub_task: SubTask) -> SafeString | str:
        """The position in the plan."""
        return str(sub_task.position or "planning step")

    @display(description="Status")
    def status_label(self, sub_task: SubTask) -> SafeString | str:
        """The status as a coloured label, and why it failed."""
        return task_widgets.status_with_error(sub_task, characters=1_000)

    @display(description="Description")
    def description_text(self, sub_task: SubTask) -> SafeString | str:
        """What the sub-agent is asked to do, to users who may read it."""
        texts: PageTexts = vars(sub_task)["page_texts"]
        return texts.block(sub_task.sealed_description, place=description_of(sub_task.position))

    @display(description="Result")
    def result_text(self, sub_task: SubTask) -> SafeString | str:
        """The full result, to users who may read it."""
        texts: PageTexts = vars(sub_task)["page_texts"]
        return texts.block(sub_task.sealed_result, place=result_of(sub_task.position))

    @display(description="Starts after")
    def dependencies(self, sub_task: SubTask) -> SafeString | str:
        """Links to the sub-tasks that it depends on."""
        needed = SubTask.objects.filter(dependents__sub_task=sub_task).order_by("position")
        names = needed.values_list("pk", "name")[:_DEPENDENCIES_SHOWN]
        return widgets.separated(widgets.link("recorded_sub_task", pk, name) for pk, name in names)

    @display(description="Approval")
    def approval(self, sub_task: SubTask) -> SafeString | str:
        """Whether waits for approval by a person, and who did."""
        if sub_task.approved_at:
            at = widgets.moment(sub_task.approved_at)
            return format_html("approved by {} at {} UTC", sub_task.approved_by, at)
        return "waits for approval by a person" if sub_task.needs_approval else "not needed"

    @display(description="Duration")
    def duration(self, sub_task: SubTask) -> SafeString | str:
        """The time from the start of its first attempt to its end, or until now."""
        return elapsed(sub_task.started_at, sub_task.ended_at, timezone.now())

    @display(description="Tokens used of its share")
    def tokens_of_share(self, sub_task: SubTask) -> SafeString | str:
        """A bar and its figures."""
        return task_widgets.tokens_bar(used=_spent(sub_task)[0], lent=0, of=sub_task.share)

    @display(description="Estimated tokens")
    def estimate_text(self, sub_task: SubTask) -> SafeString | str:
        """The estimate and priority that its share was computed from."""
        return (
            f"{formatting.group_digits(sub_task.estimated_tokens)} (priority {sub_task.priority})"
        )

    @display(description="Cost")
    def cost_text(self, sub_task: SubTask) -> SafeString | str:
        """The cost of all its attempts in US dollars."""
        return formatting.dollars(_spent(sub_task)[1])

    @display(description="Model")
    def model_and_provider(self, sub_task: SubTask) -> SafeString | str:
        """The requested model and provider."""
        return " · ".join(filter(None, (sub_task.model, sub_task.provider))) or "any"

    @action(
        description="Approve",
        permissions=[STEER],
        dialog=dialogs.APPROVE,
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Approve the sub-task."""
        sub_task = SubTask.objects.only("task_id", "key", "name").get(pk=int(object_id))
        verb = partial(
            services.approve,
            task_id=sub_task.task_id,
            key=sub_task.key,
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, verb, success="The sub-task is approved.")
        return redirect_to(request, links.url("recorded_sub_task", object_id))


def _spent(sub_task: SubTask) -> tuple[int, Decimal]:
    """Tokens and cost, which are loaded once; a list has loaded them already."""
    loaded: tuple[int, Decimal] | None = vars(sub_task).get("loaded_spending")
    if loaded is None:
        loaded = pages.spent_by_sub_task([sub_task.pk]).get(sub_task.pk, _NOTHING)
        vars(sub_task)["loaded_spending"] = loaded
    return loaded


def _attempts(sub_task: SubTask) -> list[dict[str, object]]:
    now = timezone.now()
    attempts = sub_task.attempts.select_related("allocation").order_by("-number")
    lines = []
    for attempt in attempts[:_ATTEMPTS_SHOWN]:
        tokens, cost = pages.spent_by_attempt(attempt)
        lines.append(
            {
                "attempt": attempt,
                "status": task_widgets.status_badge(attempt.status),
                "tokens": task_widgets.tokens_bar(used=tokens, lent=0, of=attempt.tokens),
                "cost": formatting.dollars(cost),
                "duration": elapsed(attempt.created_at, attempt.ended_at, now),
            }
        )
    return lines
