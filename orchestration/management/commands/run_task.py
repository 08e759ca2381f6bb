"""`manage.py run_task "…" --budget N`."""

import json
import sys
import time
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from rich.console import Console

from common import formatting
from common.commands import refusals_as_command_errors
from orchestration import services
from orchestration.management import task_request_options
from orchestration.management.progress_display import Plain, Rich, Screen, harmless
from orchestration.management.task_watch import address, look, looks
from orchestration.models import Task
from orchestration.queries.results import Results, as_seed, results
from security.actor import Actor

_PAUSE_SECONDS = 0.25
_CANCELLING_SECONDS = 15
_WRONG_INPUT, _INTERRUPTED = 2, 130


class Command(BaseCommand):
    """Submit a task and follow it until its results are there."""

    help = (
        "Submit a task, follow its sub-tasks live, print its results. Ends with 0 if all of it "
        "succeeded, with 1 if not, with 2 for wrong input, with 130 after Ctrl-C, which cancels it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What is to be done, and how it is shown."""
        task_request_options.add_arguments(parser)
        parser.add_argument("--detach", action="store_true", help="submit it and leave")
        parser.add_argument("--json", action="store_true", help="the results as JSON, no more")

    def handle(self, **options: Any) -> None:
        """Submit, follow, tell."""
        with refusals_as_command_errors(exit_code=_WRONG_INPUT):
            task_request = task_request_options.task_request(options)
            agent = task_request_options.agent(options["agent"])
            task, _ = services.submit(agent=agent, request=task_request, now=timezone.now())
        if options["detach"]:
            self._report_submitted(task, as_json=options["json"])
            return
        # Not in red, as what is written to `self.stderr` is.
        said = OutputWrapper(sys.stderr) if options["json"] else self.stdout
        said.write(harmless(f"Task {task.pk} of {agent}: {task.name}   {address('task', task.pk)}"))
        interrupted = self._follow(task, said)
        task.refresh_from_db()
        self._tell(task, as_json=options["json"])
        if interrupted:
            sys.exit(_INTERRUPTED)
        if task.status != Task.Status.COMPLETED:
            sys.exit(1)

    def _report_submitted(self, task: Task, *, as_json: bool) -> None:
        where = address("task", task.pk)
        says = json.dumps({"task_id": task.pk, "address": where}) if as_json else ""
        self.stdout.write(says or f"Submitted task {task.pk}: {where}")

    def _follow(self, task: Task, said: OutputWrapper) -> bool:
        """Until it is over; whether Ctrl-C cancelled it."""
        try:
            with _screen(said) as screen:
                for seen in looks(task.pk, pause=_pause):
                    screen.show(seen)
        except KeyboardInterrupt:
            self._cancel(task, said)
            return True
        return False

    def _cancel(self, task: Task, said: OutputWrapper) -> None:
        said.write("Cancelling …")
        said.flush()
        with refusals_as_command_errors():
            services.cancel(task_id=task.pk, actor=Actor.command_line(), now=timezone.now())
        until = time.monotonic() + _CANCELLING_SECONDS
        while not look(task.pk).task.is_over and time.monotonic() < until:
            _pause()

    def _tell(self, task: Task, *, as_json: bool) -> None:
        found = results(task)
        if as_json:
            told = {"task_id": task.pk, "status": task.status}
            told |= as_seed(found, now=timezone.now())
            self.stdout.write(json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
            return
        for each in found.details:
            if each.result:
                self.stdout.write(harmless(f"\n── {each.name} ──\n{each.result}"))
        self.stdout.write("\n" + _summary(task, found))


def _summary(task: Task, found: Results) -> str:
    why = f" ({task.status_reason})" if task.status_reason else ""
    took = f", {(task.ended_at - task.created_at).total_seconds():.1f} s" if task.ended_at else ""
    return (
        f"{task.status}{why}: {found.successful:,} of {len(found.details):,} successful "
        f"({found.success_rate} %), {found.tokens:,} of {task.budget:,} tokens, "
        f"{formatting.dollars(found.cost)}{took}"
    )


def _screen(out: OutputWrapper) -> Screen:
    console = Console(file=cast(IO[str], out._out))
    return Rich(console) if console.is_terminal else Plain(out)


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS)
