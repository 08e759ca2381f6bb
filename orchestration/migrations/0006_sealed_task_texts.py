"""Prompts and results of tasks are sealed, those that exist, too."""

import json
import uuid
import zlib

from django.db import migrations, models

from security import services as security
from security import tokens, vault
from security.fields import SealedField

_AT_ONCE = 200


def seal_texts(apps, schema_editor):
    """Each task gets a key, with which its texts and those of its sub-tasks are sealed."""
    for task in apps.get_model("orchestration", "Task").objects.order_by("pk").iterator(_AT_ONCE):
        key = vault.new_content_key()
        task.text_id = uuid.uuid4()
        security.seal_into(task, "content_key", key)
        task.sealed_description = _sealed(task, key, task.description, "task")
        task.asked_digest = tokens.keyed_hash(f"task {json.dumps(task.asked, sort_keys=True)}")
        task.description, task.asked = "", {}
        task.save()
        _seal_sub_tasks(apps, task, key)


def _seal_sub_tasks(apps, task, key):
    SubTask = apps.get_model("orchestration", "SubTask")
    for row in SubTask.objects.filter(task=task).order_by("pk").iterator(_AT_ONCE):
        place = f"description of {row.position}"
        row.sealed_description = _sealed(task, key, row.description, place)
        row.sealed_result = _sealed(task, key, row.result, f"result of {row.position}")
        row.description = row.result = ""
        row.save()


def _sealed(task, key, text, place):
    """As `orchestration.task_texts` does."""
    if not text:
        return None
    context = f"orchestration.task.{task.text_id}: {place}"
    return vault.seal_content(zlib.compress(text.encode(), 1), key=key, context=context)


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0014_inputs_of_models"),
        ("orchestration", "0005_concurrency_of_agents"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="task",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("steer_task", "Can cancel, pause, resume, retry and approve tasks"),
                    ("read_task_texts", "Can read prompts and results of tasks"),
                ],
            },
        ),
        migrations.AddField("subtask", "sealed_description", models.BinaryField(null=True)),
        migrations.AddField("subtask", "sealed_result", models.BinaryField(null=True)),
        migrations.AddField("task", "asked_digest", models.BinaryField(null=True)),
        migrations.AddField("task", "content_key", SealedField(bound_to="text_id", null=True)),
        migrations.AddField("task", "sealed_description", models.BinaryField(null=True)),
        # Without a default: each row needs another value.
        migrations.AddField("task", "text_id", models.UUIDField(null=True, editable=False)),
        migrations.AddField("task", "texts_deleted_at", models.DateTimeField(null=True)),
        migrations.RunPython(seal_texts),
        migrations.AlterField(
            "task",
            "text_id",
            models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
        ),
        migrations.AlterField(
            "task",
            "asked_digest",
            models.BinaryField(
                help_text="The keyed hash of the request, with which a repeated request is compared."
            ),
        ),
        migrations.RemoveField("subtask", "description"),
        migrations.RemoveField("subtask", "result"),
        migrations.RemoveField("task", "asked"),
        migrations.RemoveField("task", "description"),
        migrations.AddIndex(
            "task",
            models.Index(
                condition=models.Q(("texts_deleted_at__isnull", True)),
                fields=["ended_at"],
                name="task_with_texts_by_end",
            ),
        ),
        migrations.AddConstraint(
            "task",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("content_key__isnull", False), ("texts_deleted_at__isnull", True)),
                    models.Q(
                        ("content_key__isnull", True),
                        ("sealed_description__isnull", True),
                        ("texts_deleted_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="task_texts_are_sealed_or_deleted",
            ),
        ),
    ]
