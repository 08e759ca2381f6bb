"""Tasks with their sub-tasks and results, and actions that cancel, pause, resume and retry."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
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
from orchestration.admin.control_permission import STEER, TaskControlAdmin, fitting_actions
from orchestration.admin.filters import AttentionFilter, SubmittedFilter
from orchestration.admin.sealed_texts import PageTexts, page_texts
from orchestration.admin.sub_task_table import sub_task_table
from orchestration.models import Task
from orchestration.queries import pages
from orchestration.queries.tasks import Progress, progress
from orchestration.task_texts import TASK
from security.request_actor import person_of


class TaskList(ChangeList):
    """A page of tasks with their progress, which takes one more query."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's results, then the progress of each task."""
        super().get_results(request)
        tasks = list(self.result_list)
        by_task = {each.task.pk: each for each in progress([task.pk for task in tasks])}
        for task in tasks:
            vars(task)["loaded_progress"] = by_task[task.pk]
        self.result_list = tasks


@admin.register(Task)
class TaskAdmin(TaskControlAdmin):
    """Tasks, the newest first."""

    list_display = (
        "title",
        "status_label",
        "agent_link",
        "centre_link",
        "sub_tasks",
        "tokens",
        "cost",
        "submission",
        "end",
    )
    list_filter = (AttentionFilter, "status", SubmittedFilter)
    search_fields = ("name__icontains", "agent__exact", "cost_centre__exact")
    search_help_text = "A part of a task's name, an agent, or a cost centre"
    ordering = ("-id",)
    actions_detail = ("cancel", "pause", "resume", "retry_failed")
    change_form_after_template = "orchestration/sub_tasks_below.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "title",
                    "status_label",
                    "description_text",
                    "sub_tasks",
                    "tokens",
                    "cost",
                    "related_rows",
                )
            },
        ),
        (
            "Terms",
            {
                "classes": ("collapse",),
                "fields": (
                    "agent_link",
                    "centre_link",
                    "submission",
                    "deadline_moment",
                    "end",
                    "retry_reserve",
                    "soft_limit_text",
                    "plan_source",
                    "run_by",
                    "concurrency",
                    "retry_policy",
                    "time_limits",
                    "texts_kept",
                ),
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list with progress."""
        return TaskList

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """The form with the sub-tasks below it."""
        context |= sub_task_table(obj, now=timezone.now())
        vars(obj)["page_texts"] = page_texts(request, obj, subject=f"task:{obj.pk}")
        return super().render_change_form(request, context, add, change, form_url, obj)

    def audit_subject(self, obj: Task) -> str:
        """The task, whose page is one of the dashboard."""
        return f"task:{obj.pk}"

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """The actions that fit the status of the task."""
        allowed = super().get_actions_detail(request, object_id)
        task = self.get_object(request, object_id)
        fits = fitting_actions(task) if task else set()
        return [each for each in allowed if each.method.original_function_name in fits]

    @display(description="Task")
    def title(self, task: Task) -> SafeString | str:
        """The name."""
        return task.name

    @display(description="Status")
    def status_label(self, task: Task) -> SafeString | str:
        """The status as a coloured label, and its reason."""
        label = widgets.badge(task.status, task_widgets.TASK_COLOURS[task.status])
        if task.overrun:
            label = format_html("{} {}", label, widgets.badge("over budget", "danger"))
        return format_html("{} <small>{}</small>", label, task.status_reason)

    @display(description="Agent")
    def agent_link(self, task: Task) -> SafeString | str:
        """A link to the agent that submitted the task."""
        return widgets.link("agent", task.agent_id)

    @display(description="Cost centre")
    def centre_link(self, task: Task) -> SafeString | str:
        """A link to the cost centre that pays."""
        return widgets.link("centre", task.cost_centre_id)

    @display(description="Sub-tasks")
    def sub_tasks(self, task: Task) -> SafeString | str:
        """A bar of finished, failed and running sub-tasks."""
        return task_widgets.sub_tasks_bar(pages.sub_task_counts(_progress_of(task)))

    @display(description="Tokens used and lent of the budget")
    def tokens(self, task: Task) -> SafeString | str:
        """A bar and its figures."""
        now = _progress_of(task)
        return task_widgets.tokens_bar(used=now.used, lent=now.lent, of=task.budget)

    @display(description="Cost")
    def cost(self, task: Task) -> SafeString | str:
        """The cost of all attempts in US dollars."""
        return formatting.dollars(_progress_of(task).cost)

    @display(description="Submitted (UTC)")
    def submission(self, task: Task) -> SafeString | str:
        """When the task was submitted."""
        return widgets.moment(task.created_at)

    @display(description="Ended (UTC)")
    def end(self, task: Task) -> SafeString | str:
        """When the task ended."""
        return widgets.moment(task.ended_at)

    @display(description="Deadline (UTC)")
    def deadline_moment(self, task: Task) -> SafeString | str:
        """When Butler ends the task, finished or not."""
        return widgets.moment(task.deadline_at)

    @display(description="Description")
    def description_text(self, task: Task) -> SafeString | str:
        """The description as it was submitted, to users who may read it."""
        texts: PageTexts = vars(task)["page_texts"]
        return texts.block(task.sealed_description, place=TASK)

    @display(description="Prompts and results")
    def texts_kept(self, task: Task) -> SafeString | str:
        """How long they are kept."""
        if task.texts_deleted_at:
            return format_html("deleted at {} UTC", widgets.moment(task.texts_deleted_at))
        return f"kept for {settings.TASK_TEXT_DAYS} days after the end"

    @display(description="Reserved for retries")
    def retry_reserve(self, task: Task) -> SafeString | str:
        """Tokens that only retries may use."""
        return formatting.group_digits(task.reserve)

    @display(description="Pauses for a decision at")
    def soft_limit_text(self, task: Task) -> SafeString | str:
        """The number of used tokens at which the task pauses."""
        return f"{task.soft_limit:,} used tokens" if task.soft_limit else widgets.NOTHING

    @display(description="Related rows")
    def related_rows(self, task: Task) -> SafeString | str:
        """Links to the lists whose rows add up to the figures."""
        return widgets.separated(
            [
                widgets.list_link("attempts", "attempts", task=task.pk),
                widgets.list_link("recorded_sub_tasks", "sub-tasks", task=task.pk),
            ]
        )

    @display(description="Planned by")
    def plan_source(self, task: Task) -> SafeString | str:
        """The planner, or the submitter of an explicit plan."""
        side_by_side = ", in parallel" if task.parallel else ""
        return "the submitter" if task.planner == "given" else task.planner + side_by_side

    @display(description="Run by")
    def run_by(self, task: Task) -> SafeString | str:
        """The requested runner, model and provider."""
        return " · ".join(filter(None, (task.runner, task.model, task.provider)))

    @display(description="Concurrency")
    def concurrency(self, task: Task) -> SafeString | str:
        """How many attempts may run at the same time."""
        return f"{task.max_concurrent:,} sub-agents at most"

    @display(description="Retries")
    def retry_policy(self, task: Task) -> SafeString | str:
        """How often a failed sub-task is retried."""
        return f"{task.max_retries} per sub-task" if task.retry_on_failure else "none"

    @display(description="Time limits")
    def time_limits(self, task: Task) -> SafeString | str:
        """The limits for the task, for one attempt, and for waiting."""
        return (
            f"{task.timeout_seconds:,} s for the task, {task.running_seconds:,} s for one attempt, "
            f"{task.waiting_seconds:,} s of waiting"
        )

    @action(
        description="Cancel",
        permissions=[STEER],
        dialog=dialogs.CANCEL,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Cancel the task."""
        return self._control(request, object_id, services.cancel, "The task is cancelled.")

    @action(description="Pause", permissions=[STEER], dialog=dialogs.PAUSE)
    def pause(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Pause the task."""
        return self._control(request, object_id, services.pause, "The task is paused.")

    @action(description="Resume", permissions=[STEER], dialog=dialogs.RESUME)
    def resume(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Resume the task."""
        return self._control(request, object_id, services.resume, "The task is resumed.")

    @action(description="Retry failed", permissions=[STEER], dialog=dialogs.RETRY)
    def retry_failed(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Retry the sub-tasks that failed."""
        more = form.cleaned_data["additional_budget"]
        verb = partial(services.retry_failed, additional_budget=more)
        return self._control(request, object_id, verb, "The failed sub-tasks are retried.")

    def _control(
        self, request: HttpRequest, object_id: str, verb: Callable[..., object], success: str
    ) -> HttpResponse:
        task_id, actor = int(object_id), person_of(request)
        service = partial(verb, task_id=task_id, actor=actor, now=timezone.now())
        perform(request, service, success=success)
        return redirect_to(request, links.url("recorded_task", task_id))


def _progress_of(task: Task) -> Progress:
    """The progress of a task, which is loaded once; a list has loaded it already."""
    loaded: Progress | None = vars(task).get("loaded_progress")
    if loaded is None:
        [loaded] = progress([task.pk])
        vars(task)["loaded_progress"] = loaded
    return loaded
