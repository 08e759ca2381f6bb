"""`manage.py set_concurrency`: concurrency limits are set, listed and removed."""

import io

import pytest
from django.core.management import CommandError, call_command

from orchestration.models import Concurrency
from security.models import AuditEntry
from tests.keys.builders import add_key
from tests.orchestration.work import start_attempts, submit_at_noon

pytestmark = pytest.mark.django_db(transaction=True)

WHY = ("--reason", "Start small")
REFUSED = {
    ("centre:research", "5"): "say why with --reason",
    ("centre:research", *WHY): "Name the scope and the number",
    ("centre:research", "5", "--reason", "  "): "Give a reason of 1 to 300 characters.",
    ("centre:research", "none", "--reason", " "): "Give a reason of 1 to 300 characters.",
    ("centre:research", "5", "--reason", "x" * 301): "Give a reason of 1 to 300 characters.",
    ("centre:research", "-1", *WHY): "Use a whole number from 0 to 1,000,000",
    ("centre:research", "1_000_001", *WHY): "Use a whole number from 0 to 1,000,000",
    ("centre:research", "2.5", *WHY): "2.5 is no whole number",
    ("centre:research", "many", *WHY): "many is no whole number",
    ("team:research", "5", *WHY): "The scope team:research is not known. Use all, agent:<agent>",
    ("research", "5", *WHY): "The scope research is not known.",
    ("centre:", "5", *WHY): "The scope centre: is not known.",
    ("centre:nowhere", "5", *WHY): "nowhere",
    ("agent:nobody", "5", *WHY): "nobody",
    ("provider:nvidai", "5", *WHY): "nvidai",
    ("runner:command:none", "5", *WHY): "command:none",
}


def run(*arguments):
    out = io.StringIO()
    call_command("set_concurrency", *arguments, stdout=out)
    return out.getvalue()


def test_limits_are_set_changed_listed_and_removed_by_command(people):
    """O47."""
    add_key("nvidia-1", per_day=1_000_000)
    submit_at_noon("a", "b", "c", budget=30_000)
    assert run("centre:research", "2", *WHY) == (
        "At most 2 sub-agents of centre:research run at once.\n"
    )
    assert run("provider:nvidia", "1_000", *WHY) == (
        "At most 1,000 sub-agents of provider:nvidia run at once.\n"
    )
    for scope in ("agent:ada", "runner:model"):
        run(scope, "7", *WHY)
    assert len(start_attempts()) == 2
    listed = [line.split() for line in run("--list").splitlines()]
    taken = {scope: " ".join(rest) for scope, *rest in listed[:-1]}
    assert taken == {
        "agent:ada": "2 of 7 running",
        "all": "2 of 500 running (of the settings)",
        "centre:research": "2 of 2 running",
        "provider:nvidia": "2 of 1,000 running",
        "runner:model": "2 of 7 running",
    }
    assert run("provider:nvidia", "0", *WHY).startswith("At most 0 sub-agents")
    assert run("centre:research", "NONE", *WHY) == (
        "The concurrency limit of centre:research is removed.\n"
    )
    assert run("centre:research", "none", *WHY) == (
        "There was no concurrency limit of centre:research.\n"
    )
    history = AuditEntry.objects.filter(action__startswith="concurrency_limit")
    assert set(history.values_list("actor_kind", "reason")) == {("command_line", "Start small")}
    assert history.count() == 6


def test_what_a_command_cannot_set_is_refused(people):
    """O47."""
    for arguments, says in REFUSED.items():
        with pytest.raises(CommandError) as refused:
            run(*arguments)
        assert says in str(refused.value), arguments
    assert not Concurrency.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="concurrency_limit").exists()
