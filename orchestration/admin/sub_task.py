"""Sub-tasks: read with result and attempts, approved."""

from decimal import Decimal
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
from orchestration.admin.control_permission import STEER, SteeredAdmin
from orchestration.admin.sub_task_table import took
from orchestration.models import SubTask
from orchestration.queries import pages
from security.request_actor import person_of

_ATTEMPTS_SHOWN = 50
_DEPENDENCIES_SHOWN = 100
_NOTHING = (0, Decimal(0))
_OF_TASK = "task__id__exact"


class SubTaskList(ChangeList):
    """A page of sub-tasks with what was spent on them, in one more query."""

    def get_results(self, request):
        """As always, then what all attempts used."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        spent = pages.spent_on([sub_task.pk for sub_task in self.result_list])
        for sub_task in self.result_list:
            sub_task.spent = spent.get(sub_task.pk, _NOTHING)


@admin.register(SubTask)
class SubTaskAdmin(SteeredAdmin):
    """Parts of tasks, by task."""

    list_display = ("title", "task_link", "place", "shown_status", "tokens", "cost", "length")
    list_filter = ("status",)
    list_select_related = ("task",)
    search_fields = ("name__icontains", "key__exact")
    search_help_text = "A part of a sub-task's name, or its id in the plan"
    actions_detail = ("approve",)
    change_form_after_template = "orchestration/attempts_below.html"
    fieldsets = (
        (None, {"fields": ("title", "task_link", "shown_status", "wanted", "answer")}),
        ("Budget and time", {"fields": ("tokens", "cost", "length", "approval")}),
        (
            "Terms",
            {
                "classes": ("collapse",),
                "fields": (
                    "place",
                    "key",
                    "priority",
                    "after",
                    "estimate",
                    "runner",
                    "asked_model",
                    "retries",
                    "recoveries",
                ),
            },
        ),
    )

    def get_changelist(self, request, **kwargs):
        """A list that knows what was spent."""
        return SubTaskList

    def get_queryset(self, request):
        """Without long texts; a page reads its own."""
        return super().get_queryset(request).defer("description", "result")

    def get_ordering(self, request):
        """By an index: the newest first, those of one task as it was planned."""
        return ("position",) if _OF_TASK in request.GET else ("-id",)

    def lookup_allowed(self, lookup, value, request):
        """The task's page leads here."""
        return lookup == _OF_TASK or super().lookup_allowed(lookup, value, request)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        """With its attempts below."""
        context |= {"butler_attempts": _attempts(obj)}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_actions_detail(self, request, object_id):
        """Only what waits for a person is approved."""
        allowed = super().get_actions_detail(request, object_id)
        sub_task = self.get_object(request, object_id)
        return allowed if sub_task and _can_be_approved(sub_task) else []

    @display(description="Sub-task")
    def title(self, sub_task):
        """Its name."""
        return sub_task.name

    @display(description="Task")
    def task_link(self, sub_task):
        """What it is a part of."""
        return widgets.link("task", sub_task.task_id, sub_task.task.name)

    @display(description="Number")
    def place(self, sub_task):
        """Its position in the plan."""
        return sub_task.position or "the plan itself"

    @display(description="Status")
    def shown_status(self, sub_task):
        """The status as a coloured label, and why it failed."""
        return task_widgets.status_with_error(sub_task, characters=1_000)

    @display(description="What it is told")
    def wanted(self, sub_task):
        """Its description."""
        return widgets.block(sub_task.description)

    @display(description="Result")
    def answer(self, sub_task):
        """All of it."""
        return widgets.block(sub_task.result)

    @display(description="Begins after")
    def after(self, sub_task):
        """What it builds on."""
        needed = SubTask.objects.filter(dependents__sub_task=sub_task).order_by("position")
        names = needed.values_list("pk", "name")[:_DEPENDENCIES_SHOWN]
        return widgets.separated(widgets.link("sub_task", pk, name) for pk, name in names)

    @display(description="Approval")
    def approval(self, sub_task):
        """Whether a person must say yes, and who did."""
        if sub_task.approved_at:
            at = widgets.moment(sub_task.approved_at)
            return format_html("approved by {} at {} UTC", sub_task.approved_by, at)
        return "a person must approve it" if sub_task.needs_approval else "not needed"

    @display(description="Took")
    def length(self, sub_task):
        """From the begin of its first attempt to its end."""
        return took(sub_task.started_at, sub_task.ended_at, timezone.now())

    @display(description="Tokens used of its share")
    def tokens(self, sub_task):
        """A bar and its figures."""
        return task_widgets.tokens_bar(used=_spent(sub_task)[0], lent=0, of=sub_task.share)

    @display(description="Estimated tokens")
    def estimate(self, sub_task):
        """What its share was made of."""
        return f"{formatting.grouped(sub_task.estimated_tokens)} (priority {sub_task.priority})"

    @display(description="Cost")
    def cost(self, sub_task):
        """USD of all its attempts."""
        return formatting.dollars(_spent(sub_task)[1])

    @display(description="Model")
    def asked_model(self, sub_task):
        """Model and provider, if asked for."""
        return " · ".join(filter(None, (sub_task.model, sub_task.provider))) or "any"

    @action(
        description="Approve",
        permissions=[STEER],
        dialog=dialogs.APPROVE,
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request, form, object_id):
        """Let it begin."""
        sub_task = SubTask.objects.only("task_id", "key", "name").get(pk=int(object_id))
        verb = partial(
            services.approve,
            task_id=sub_task.task_id,
            key=sub_task.key,
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, verb, success="The sub-task is approved.")
        return redirect_to(request, links.url("sub_task", object_id))


def _spent(sub_task: SubTask) -> tuple[int, Decimal]:
    """Tokens and cost; a list knows already."""
    if not hasattr(sub_task, "spent"):
        sub_task.spent = pages.spent_on([sub_task.pk]).get(sub_task.pk, _NOTHING)
    return sub_task.spent


def _can_be_approved(sub_task: SubTask) -> bool:
    waits = sub_task.status in SubTask.TO_COME and not sub_task.task.is_over
    return waits and sub_task.needs_approval and not sub_task.approved_at


def _attempts(sub_task: SubTask) -> list[dict[str, object]]:
    now = timezone.now()
    attempts = sub_task.attempts.select_related("allocation").order_by("-number")
    lines = []
    for attempt in attempts[:_ATTEMPTS_SHOWN]:
        tokens, cost = pages.spent_by(attempt)
        lines.append(
            {
                "attempt": attempt,
                "status": task_widgets.status_badge(attempt.status),
                "tokens": task_widgets.tokens_bar(used=tokens, lent=0, of=attempt.tokens),
                "cost": formatting.dollars(cost),
                "took": took(attempt.created_at, attempt.ended_at, now),
            }
        )
    return lines
