"""Tasks: the list, the page of one task, and the page of one of its parts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import live, organisation, tables
from dashboard.acts import Act, Dialog, opened_dialog, performed
from dashboard.exports import exported
from dashboard.table_context import row_ids, table_context
from dashboard.tasks.acts import PART_ACTS, STEER, TASK_ACTS
from dashboard.tasks.controls import controls
from dashboard.tasks.detail import history, live_detail
from dashboard.tasks.part import part_detail
from dashboard.tasks.parts_table import parts_table
from dashboard.tasks.table import rows_to_update, table_of, tasks_table, visible_tasks
from dashboard.tasks.texts import texts_of_part
from orchestration.models import SubTask, Task

VIEW, VIEW_PART = "orchestration.view_task", "orchestration.view_subtask"
tables.register("tasks", tasks_table, permission=VIEW)
tables.register("task-parts", parts_table, permission=VIEW)
_METHODS = ["GET", "HEAD", "POST"]
_DIGITS_MAX = 18


@never_cache
@require_safe
@staff_member_required
@permission_required(VIEW, raise_exception=True)
@exported("tasks")
def tasks(request: HttpRequest) -> HttpResponse:
    """GET /tasks: those that run first; `state`, `agent`, `cost_centre` and `q` filter them."""
    user = request.user
    table = tasks_table(user, request.GET, timezone.now())
    context = {
        "table": table,
        "controls": controls(user, request),
        "has_tasks": bool(table.rows) or visible_to(user, Task.objects.all()).exists(),
        "own_view": bool(request.GET),
        "rows_of_page": row_ids(table),
    }
    return render(request, "dashboard/tasks/list.html", context)


def _list_fragments(request: HttpRequest, now: datetime) -> str:
    """Each row by itself, so that none moves, and which rows the page would have now."""
    rows = visible_tasks(request.user, {})
    table = table_of(rows, {}, now=now)
    every = replace(table, rows=rows_to_update(rows, table.rows, now=now))
    context = table_context(every, request, organisation.zone(request))
    context["rows_of_page"] = row_ids(table)
    return render_to_string("dashboard/live/tasks.html", context, request)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required(VIEW, raise_exception=True)
@exported("task-parts")
def task(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /tasks/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(_tasks_of(request.user), pk=pk)
    dialog = opened_dialog(request, _acts(request, TASK_ACTS, found), found)
    if answer := _answer(request, dialog, found, links.url("task", pk)):
        return answer
    zone, now = organisation.zone(request), timezone.now()
    context = live_detail(request.user, found, request.GET, zone=zone, now=now) | {
        "dialog": dialog,
        "history": history(request.user, found),
        "own_view": any(name != "act" for name in request.GET),
    }
    return render(request, "dashboard/tasks/detail.html", context)


def _task_fragments(request: HttpRequest, now: datetime, pk: str) -> str:
    """What changes on the page of a task."""
    found, zone = _tasks_of(request.user).get(pk=pk), organisation.zone(request)
    context = live_detail(request.user, found, {}, zone=zone, now=now)
    return render_to_string("dashboard/live/task.html", context, request)


def _sees_task(user: Any, pk: str) -> bool:
    return _is_id(pk) and _tasks_of(user).filter(pk=pk).exists()


live.register("tasks", permission=VIEW, fragments=_list_fragments)
live.register_row("task", permission=VIEW, sees=_sees_task, fragments=_task_fragments)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required(VIEW_PART, raise_exception=True)
def sub_task(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /tasks/parts/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    part = get_object_or_404(_parts_of(request.user), pk=pk)
    acts = _acts(request, PART_ACTS, part)
    dialog = opened_dialog(request, acts, part)
    if answer := _answer(request, dialog, part, links.url("sub_task", pk)):
        return answer
    context = {
        "part": part,
        "acts": acts,
        "dialog": dialog,
        **texts_of_part(request, part),
        **part_detail(part, now=timezone.now()),
    }
    return render(request, "dashboard/tasks/part.html", context)


def _part_fragments(request: HttpRequest, now: datetime, pk: str) -> str:
    """What changes on the page of a part. Its result is read by opening the page, for the audit."""
    part = _parts_of(request.user).get(pk=pk)
    context = {
        "part": part,
        "acts": _acts(request, PART_ACTS, part),
        **part_detail(part, now=now),
    }
    return render_to_string("dashboard/live/part.html", context, request)


def _sees_part(user: Any, pk: str) -> bool:
    return _is_id(pk) and _parts_of(user).filter(pk=pk).exists()


live.register_row("sub_task", permission=VIEW_PART, sees=_sees_part, fragments=_part_fragments)


def _parts_of(user: Any) -> QuerySet[SubTask]:
    rows = visible_to(user, SubTask.objects.select_related("task", "experiment_part__experiment"))
    return rows.defer("task__sealed_description")


def _is_id(pk: str) -> bool:
    return pk.isascii() and pk.isdigit() and len(pk) <= _DIGITS_MAX


def _tasks_of(user: Any) -> QuerySet[Task]:
    """The tasks that the person sees, each with whether a part has failed."""
    failed = SubTask.objects.filter(
        task=OuterRef("pk"),
        position__gt=0,
        status__in=(SubTask.Status.FAILED, SubTask.Status.CANCELLED),
    )
    rows = visible_to(user, Task.objects.annotate(has_failed_parts=Exists(failed)))
    return rows.defer("sealed_description")


def _acts(request: HttpRequest, every: Sequence[Act], subject: Any) -> list[Act]:
    return [act for act in every if act.is_for(request.user, subject)]


def _answer(
    request: HttpRequest, dialog: Dialog | None, subject: Any, page: str
) -> HttpResponse | None:
    """Do what a form that was sent asks for, and lead back; None if the page is to be shown."""
    if request.method != "POST":
        return None
    if not request.user.has_perm(STEER):
        raise PermissionDenied
    if dialog is None:
        messages.warning(request, f"It is {subject.status} now, so nothing was changed.")
        return redirect(page)
    return redirect(page) if performed(request, dialog, subject) else None
