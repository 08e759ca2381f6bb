"""Prompts and results of tasks: sealed, read with a permission and recorded, deleted in time."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse

from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.refusals import TaskTextsDeleted
from orchestration.task_texts import texts_of
from security import services as security
from security.models import AuditEntry
from security.vault import CannotUnseal
from tests.actors import ACTOR
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.orchestration.work import finish_attempt, start_attempts, submit_at_noon

pytestmark = pytest.mark.django_db

PROMPT, RESULT, ERROR = "confidential question", "confidential answer", "confidential error"
PLAIN = """
SELECT row_to_json(t)::text FROM orchestration_task t
UNION ALL SELECT row_to_json(s)::text FROM orchestration_subtask s
UNION ALL SELECT encode(sealed_description, 'escape') FROM orchestration_task
UNION ALL SELECT encode(sealed_description, 'escape') FROM orchestration_subtask
UNION ALL SELECT encode(sealed_result, 'escape') FROM orchestration_subtask
"""


@pytest.fixture
def ada(people):
    """Spends, on one key."""
    add_key("nvidia-1")


@pytest.fixture
def task(ada):
    """A task of ada's with one part that succeeded and one that failed; both have texts."""
    asked = [
        {"name": "first", "description": PROMPT},
        {"name": "second", "description": PROMPT},
    ]
    task = submit_at_noon(*asked, retry_on_failure=False)
    first, second = start_attempts()
    finish_attempt(first, text=RESULT)
    finish_attempt(second, "failed", says=ERROR, facts={"stderr": ERROR})
    task.refresh_from_db()
    return task


def delete_texts(*, days):
    """Run the job so many days after the end of the task."""
    return services.delete_old_texts(now=NOON + timedelta(days=days))


def database_text():
    """Every column of tasks and sub-tasks as text."""
    with connection.cursor() as cursor:
        cursor.execute(PLAIN)
        return "\n".join(text for (text,) in cursor.fetchall() if text)


def user(client, *permissions):
    """A client signed in as a member of staff with these permissions."""
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(carol)
    return client


def pages(client, task):
    """The pages of a task and its first part."""
    part = SubTask.objects.get(task=task, position=1)
    for name, pk in (("task", task.pk), ("subtask", part.pk)):
        answer = client.get(reverse(f"admin:orchestration_{name}_change", args=[pk]))
        assert answer.status_code == 200
        yield answer.content.decode()


def test_the_database_has_no_text_of_a_task(task):
    submit_at_noon(description=PROMPT, planner="model")
    assert "confidential" not in database_text().replace(ERROR, "")


def test_a_text_is_bound_to_its_place(task):
    first, second = SubTask.objects.filter(task=task)
    first.sealed_description = first.sealed_result
    first.save()
    with pytest.raises(CannotUnseal):
        texts_of(task).unseal(first.sealed_description, place="description of 1")
    Task.objects.filter(pk=task.pk).update(text_id="00000000-0000-0000-0000-000000000000")
    with pytest.raises(CannotUnseal):
        texts_of(Task.objects.get(pk=task.pk))


def test_without_the_permission_pages_show_sizes_and_nothing_is_recorded(task, client):
    reader = user(client, "view_task", "view_subtask")
    for page in pages(reader, task):
        assert "confidential" not in page.replace(ERROR, "")
        assert "bytes" in page
    assert "you need the permission" in page
    assert not AuditEntry.objects.filter(action="task.look").exists()


def test_with_the_permission_each_look_is_recorded_first(task, client):
    reader = user(client, "view_task", "view_subtask", "read_task_texts")
    _, page = pages(reader, task)
    assert PROMPT in page
    assert RESULT in page
    looks = AuditEntry.objects.filter(action="task.look").order_by("id")
    part = SubTask.objects.get(task=task, position=1)
    assert [look.actor_name for look in looks] == ["carol"] * 2
    assert AuditEntry.objects.about(f"sub_task:{part.pk}").filter(action="task.look").count() == 1
    assert AuditEntry.objects.about(f"task:{task.pk}").filter(action="task.look").count() == 2


def test_lists_and_the_overview_have_no_texts(task, client):
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    for url in ("/", *map(reverse, ("admin:orchestration_task_changelist",))):
        assert "confidential" not in client.get(url).content.decode().replace(ERROR, "")


def test_texts_are_deleted_some_days_after_the_end(task, client, settings):
    settings.TASK_TEXT_DAYS = 30
    assert delete_texts(days=29) == 0
    assert delete_texts(days=30) == 1
    assert delete_texts(days=31) == 0
    assert "confidential" not in database_text()
    task.refresh_from_db()
    assert (task.content_key, task.texts_deleted_at) == (None, NOON + timedelta(days=30))
    assert set(Attempt.objects.values_list("error")) == {("",)}
    names = SubTask.objects.filter(task=task).values_list("name", flat=True)
    assert list(names) == ["sub-task 1", "sub-task 2"]
    reader = user(client, "view_task", "view_subtask", "read_task_texts")
    assert "deleted at" in next(pages(reader, task))
    assert not AuditEntry.objects.filter(action="task.look").exists()
    with pytest.raises(TaskTextsDeleted):
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)


def test_texts_of_an_open_task_are_kept(ada, settings):
    settings.TASK_TEXT_DAYS = 0
    submit_at_noon(PROMPT)
    assert delete_texts(days=365) == 0


def test_a_rekey_of_the_vault_keeps_the_texts(task):
    key = security.unseal_from(task, "content_key")
    security.seal_into(task, "content_key", key)
    task.save()
    first = SubTask.objects.get(task=task, position=1)
    texts = texts_of(Task.objects.get(pk=task.pk))
    assert texts.unseal(first.sealed_result, place="result of 1") == RESULT
