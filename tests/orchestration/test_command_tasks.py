"""Tasks whose parts are carried out by a command-line agent, from the request to the books."""

import pytest
from django.utils import timezone

from orchestration import services
from orchestration.models import Attempt, SubTask
from orchestration.refusals import RunnerNotFound
from orchestration.runners.bubblewrap import system_python
from tests.actors import GRACE
from tests.orchestration.fences import needs_fence, running_with
from tests.orchestration.work import assert_finalized, kinds, run_until_done, say, statuses, submit
from tests.threads import wait_until

pytestmark = needs_fence

AGENT = """
import json, os, sys, urllib.error, urllib.request
request = urllib.request.Request(
    os.environ["WHERE"] + "/chat/completions",
    json.dumps({"model": "any", "max_tokens": 400,
                "messages": [{"role": "user", "content": sys.stdin.read()}]}).encode(),
    {"authorization": "Bearer " + os.environ["SESSION"], "content-type": "application/json"},
)
for _ in range(int(sys.argv[1])):
    try:
        with urllib.request.urlopen(request) as answer:
            print(json.load(answer)["choices"][0]["message"]["content"])
    except urllib.error.HTTPError as refusal:
        sys.exit(refusal.read().decode())
"""

SLEEPER = "import time; time.sleep(90)"


@pytest.fixture
def agent(office, tmp_path, settings):
    """`agent("2")`: a command that calls the gateway twice, known as `command:agent`."""
    settings.VAR_DIR = tmp_path / "var"

    def configure(*arguments, script=AGENT, agents=("ada",)):
        services.set_command(
            "agent",
            terms=services.CommandTerms(
                argv=[system_python(), "-c", script, *arguments],
                environment={"WHERE": "{gateway_url}", "SESSION": "{token}"},
                wire_format="openai",
                agents=list(agents),
            ),
            reason="test",
            actor=GRACE,
            now=timezone.now(),
        )

    return configure


def test_each_part_is_a_run_of_the_command_and_every_call_is_its_own(agent, office, tmp_path):
    agent("2")
    task = run_until_done(
        submit("gather", {"description": "write", "depends_on": ["1"]}, runner="command:agent")
    )
    assert (task.status, statuses(task)) == ("completed", ["succeeded"] * 2)
    assert len(office.log()) == 4
    assert all(SubTask.objects.filter(task=task).values_list("sealed_result", flat=True))
    assert Attempt.objects.first().facts["command"] == "agent"
    assert list((tmp_path / "var" / "work").iterdir()) == []
    assert_finalized(task)


def test_an_agent_that_wants_more_than_its_budget_fails_and_the_budget_holds(agent, office):
    agent("500")
    task = run_until_done(
        submit(say("gather", output=400), runner="command:agent", budget=5_000, max_retries=1)
    )
    assert task.status == "failed"
    assert task.used <= 5_000
    first = Attempt.objects.filter(task=task).earliest("pk")
    assert "exit code 1" in first.error and "request another one" in first.error
    assert_finalized(task)


def test_an_agent_that_takes_too_long_is_ended_with_its_task(agent):
    agent("sleeper-77", script=SLEEPER)
    task = run_until_done(
        submit("gather", runner="command:agent", running_timeout=2, retry_on_failure=False)
    )
    assert (task.status, kinds(task)) == ("failed", ["timeout"])
    wait_until(lambda: not running_with("sleeper-77"))
    assert_finalized(task)


def test_a_task_for_a_command_that_is_not_there_is_refused(office):
    with pytest.raises(RunnerNotFound):
        submit("gather", runner="command:agent")


def test_a_task_for_a_command_that_is_for_others_is_refused(agent):
    agent("1", agents=["bob"])
    with pytest.raises(RunnerNotFound):
        submit("gather", runner="command:agent")
    with pytest.raises(RunnerNotFound):
        submit({"description": "gather", "runner": "command:agent"})
    with pytest.raises(RunnerNotFound):
        submit(description="gather", planner="model", runner="command:agent")


def test_an_agent_that_is_taken_off_the_list_gets_no_further_attempt(agent):
    agent("1")
    task = submit("gather", runner="command:agent")
    agent("1", agents=[])
    task = run_until_done(task)
    assert (task.status, kinds(task)) == ("failed", ["misconfigured"])
    assert Attempt.objects.get(task=task).allocation is None
