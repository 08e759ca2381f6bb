"""The demo task, which is submitted only once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from orchestration.models import Task

pytestmark = pytest.mark.django_db


def load():
    """What the command says."""
    out = StringIO()
    call_command("load_demo_task", stdout=out)
    return out.getvalue()


def test_it_has_three_parts_and_is_there_once(people):
    assert load() == load()
    [task] = Task.objects.all()
    assert (task.agent_id, task.budget, task.idempotency_key) == ("ada", 100_000, "demo")
    names = [each.name for each in task.sub_tasks.all()]
    assert names == ["Research market trends", "analyze data", "write report"]


def test_without_the_demo_fleet_it_is_refused_with_a_sentence():
    with pytest.raises(CommandError, match="The agent ada does not exist."):
        load()
