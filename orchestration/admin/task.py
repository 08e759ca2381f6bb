"""Tasks: read with their sub-tasks and results, cancelled, paused, resumed and retried."""

from functools import partial

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from common import formatting, links
from common.admin import widgets
from common.admin.dialogs import perform, redirect_to
from orchestration import services
from orchestration import widgets as task_widgets
from orchestration.admin import dialogs
from orchestration.admin.control_permission import STEER, SteeredAdmin, fitting_actions
from orchestration.admin.filters import EyeFilter, SubmittedFilter
from orchestration.admin.sub_task_table import sub_task_table
from orchestration.models import Task
from orchestration.queries import pages
from orchestration.queries.tasks import progress
from security.request_actor import person_of


class TaskList(ChangeList):
    """A page of tasks with their progress, in one more query."""

    def get_results(self, request):
        """As always, then how far each one is."""
        super().get_results(request)
        tasks = list(self.result_list)
        by_task = {far.task.pk: far for far in progress([task.pk for task in tasks])}
        for task in tasks:
            task.far = by_task[task.pk]
        self.result_list = tasks


@admin.register(Task)
class TaskAdmin(SteeredAdmin):
    """Tasks, the newest first."""

    list_display = (
        "title",
        "shown_status",
        "agent_name",
        "centre",
        "parts",
        "tokens",
        "cost",
        "submitted",
        "ended",
    )
    list_filter = (EyeFilter, "status", SubmittedFilter)
    search_fields = ("name__icontains", "agent__exact", "cost_centre__exact")
    search_help_text = "A part of a task's name, an agent, or a cost centre"
    ordering = ("-id",)
    actions_detail = ("cancel", "pause", "resume", "retry_failed")
    change_form_after_template = "orchestration/sub_tasks_below.html"
    fieldsets = (
        (None, {"fields": ("title", "shown_status", "wanted", "parts", "tokens", "cost", "rows")}),
        (
            "Terms",
            {
                "classes": ("collapse",),
                "fields": (
                    "agent_name",
                    "centre",
                    "submitted",
                    "deadline",
                    "ended",
                    "reserved",
                    "soft_limited",
                    "planned_by",
                    "carried_out_by",
                    "at_once",
                    "retries",
                    "seconds",
                ),
            },
        ),
    )

    def get_changelist(self, request, **kwargs):
        """A list that knows how far its tasks are."""
        return TaskList

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        """With its sub-tasks below."""
        context |= sub_task_table(obj, now=timezone.now())
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_actions_detail(self, request, object_id):
        """What can be done with a task in its state."""
        allowed = super().get_actions_detail(request, object_id)
        task = self.get_object(request, object_id)
        fits = fitting_actions(task) if task else set()
        return [each for each in allowed if each.method.original_function_name in fits]

    @display(description="Task")
    def title(self, task):
        """Its name."""
        return task.name

    @display(description="Status")
    def shown_status(self, task):
        """The status as a coloured label, and who or what made it so."""
        label = widgets.badge(task.status, task_widgets.TASK_COLOURS[task.status])
        if task.overrun:
            label = format_html("{} {}", label, widgets.badge("over budget", "danger"))
        return format_html("{} <small>{}</small>", label, task.status_reason)

    @display(description="Agent")
    def agent_name(self, task):
        """Who submitted it."""
        return widgets.link("agent", task.agent_id)

    @display(description="Cost centre")
    def centre(self, task):
        """Who pays."""
        return widgets.link("centre", task.cost_centre_id)

    @display(description="Sub-tasks")
    def parts(self, task):
        """How many are done, as a bar."""
        return task_widgets.sub_tasks_bar(pages.parts_of(_far(task)))

    @display(description="Tokens used and lent of its budget")
    def tokens(self, task):
        """A bar and its figures."""
        far = _far(task)
        return task_widgets.tokens_bar(used=far.used, lent=far.lent, of=task.budget)

    @display(description="Cost")
    def cost(self, task):
        """USD of all its attempts."""
        return formatting.dollars(_far(task).cost)

    @display(description="Submitted (UTC)")
    def submitted(self, task):
        """When."""
        return widgets.moment(task.created_at)

    @display(description="Ended (UTC)")
    def ended(self, task):
        """When, or not yet."""
        return widgets.moment(task.ended_at)

    @display(description="Deadline (UTC)")
    def deadline(self, task):
        """When it is ended, done or not."""
        return widgets.moment(task.deadline_at)

    @display(description="Description")
    def wanted(self, task):
        """What was asked for."""
        return widgets.block(task.description)

    @display(description="Kept for retries")
    def reserved(self, task):
        """Tokens."""
        return formatting.grouped(task.reserve)

    @display(description="Pauses and asks at")
    def soft_limited(self, task):
        """Used tokens."""
        return f"{task.soft_limit:,} used tokens" if task.soft_limit else widgets.NOTHING

    @display(description="Rows behind it")
    def rows(self, task):
        """The lists its figures are the sum of."""
        return widgets.separated(
            [
                widgets.list_link("attempts", "attempts", task=task.pk),
                widgets.list_link("sub_tasks", "sub-tasks", task=task.pk),
            ]
        )

    @display(description="Planned by")
    def planned_by(self, task):
        """Who found the sub-tasks."""
        side_by_side = ", side by side" if task.parallel else ""
        return "whoever submitted it" if task.planner == "given" else task.planner + side_by_side

    @display(description="Carried out by")
    def carried_out_by(self, task):
        """Runner, model and provider, if asked for."""
        return " · ".join(filter(None, (task.runner, task.model, task.provider)))

    @display(description="At once")
    def at_once(self, task):
        """How many attempts may run."""
        return f"{task.max_concurrent:,} sub-agents at most"

    @display(description="Retries")
    def retries(self, task):
        """How often a sub-task is tried again."""
        return f"{task.max_retries} per sub-task" if task.retry_on_failure else "none"

    @display(description="Time limits")
    def seconds(self, task):
        """Of the whole, of one attempt, of waiting."""
        return (
            f"{task.timeout_seconds:,} s for all, {task.running_seconds:,} s for one attempt, "
            f"{task.waiting_seconds:,} s to wait for its turn"
        )

    @action(
        description="Cancel",
        permissions=[STEER],
        dialog=dialogs.CANCEL,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request, form, object_id):
        """Stop all of it."""
        return self._steered(request, object_id, services.cancel, "The task is cancelled.")

    @action(description="Pause", permissions=[STEER], dialog=dialogs.PAUSE)
    def pause(self, request, form, object_id):
        """Begin nothing more."""
        return self._steered(request, object_id, services.pause, "The task is paused.")

    @action(description="Resume", permissions=[STEER], dialog=dialogs.RESUME)
    def resume(self, request, form, object_id):
        """Go on."""
        return self._steered(request, object_id, services.resume, "The task goes on.")

    @action(description="Retry failed", permissions=[STEER], dialog=dialogs.RETRY)
    def retry_failed(self, request, form, object_id):
        """Run again what failed."""
        more = form.cleaned_data["additional_budget"]
        verb = partial(services.retry_failed, additional_budget=more)
        return self._steered(request, object_id, verb, "What failed runs again.")

    def _steered(self, request, object_id, verb, done):
        task_id, actor = int(object_id), person_of(request)
        asked = partial(verb, task_id=task_id, actor=actor, now=timezone.now())
        perform(request, asked, success=done)
        return redirect_to(request, links.url("task", task_id))


def _far(task: Task):
    """How far it is; a list knows already."""
    if not hasattr(task, "far"):
        [task.far] = progress([task.pk])
    return task.far
