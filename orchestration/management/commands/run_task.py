"""`manage.py run_task "…" --budget N`."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from rich.console import Console

from common import formatting
from common.commands import refusals_as_command_errors
from orchestration import services
from orchestration.management import task_request_options
from orchestration.management.progress_display import (
    LineDisplay,
    LiveDisplay,
    ProgressDisplay,
    without_control_characters,
)
from orchestration.management.task_watch import page_address, task_snapshot, task_snapshots
from orchestration.models import Task
from orchestration.queries.results import Results, camel_case_results, results
from orchestration.task_texts import texts_of
from security.actor import Actor

_PAUSE_SECONDS = 0.25
_CANCELLING_SECONDS = 15
# Those of signals are as shells have them.
_WRONG_INPUT, _INTERRUPTED, _UNREAD, _TERMINATED = 2, 130, 141, 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM came, as from a CI job that is stopped."""


class Command(BaseCommand):
    """Submit a task, and follow it until it has ended."""

    help = (
        "Submit a task, follow its sub-tasks live, and print its results. Ctrl-C and SIGTERM "
        "cancel the task. The exit code is 0 if all sub-tasks succeeded, 1 if not, 2 for wrong "
        "input, 130 after Ctrl-C, and 143 after SIGTERM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of the task, and how its progress is shown."""
        task_request_options.add_arguments(parser)
        parser.add_argument(
            "--detach", action="store_true", help="submit the task without following it"
        )
        parser.add_argument("--json", action="store_true", help="print only the results, as JSON")

    def handle(self, **options: Any) -> None:
        """Submit the task, follow it, and print its results."""
        with refusals_as_command_errors(exit_code=_WRONG_INPUT):
            task_request = task_request_options.task_request(options)
            agent = task_request_options.submitting_agent(options["agent"])
            task, _ = services.submit(agent=agent, request=task_request, now=timezone.now())
        if options["detach"]:
            self._report_submitted(task, as_json=options["json"])
            return
        try:
            self._show(task, agent, as_json=options["json"])
        except BrokenPipeError:
            # Nobody reads on, as in `run_task … | head`. The task goes on.
            _close_output(self.stdout)
            sys.exit(_UNREAD)

    def _show(self, task: Task, agent: str, *, as_json: bool) -> None:
        """Follow the task, print its results, and exit with the code for its end."""
        # Not in red, as what is written to `self.stderr` is.
        out = OutputWrapper(sys.stderr) if as_json else self.stdout
        page = page_address("task", task.pk)
        out.write(without_control_characters(f"Task {task.pk} of {agent}: {task.name}   {page}"))
        if task.plan_note:
            out.write(task.plan_note)
        stopped = self._follow(task, out)
        task.refresh_from_db()
        self._print_results(task, as_json=as_json)
        if stopped:
            sys.exit(stopped)
        if task.status != Task.Status.COMPLETED:
            sys.exit(1)

    def _report_submitted(self, task: Task, *, as_json: bool) -> None:
        page = page_address("task", task.pk)
        text = f"Submitted task {task.pk}: {page}"
        document = json.dumps({"task_id": task.pk, "address": page})
        self.stdout.write(document if as_json else text)

    def _follow(self, task: Task, out: OutputWrapper) -> int:
        """Display the task until it has ended. Returns the exit code if a signal cancelled it, else
        0."""
        try:
            with _sigterm_interrupts(), _progress_display(out) as display:
                for snapshot in task_snapshots(task.pk, pause=_pause):
                    display.show(snapshot)
        except KeyboardInterrupt as interrupt:
            self._cancel(task, out)
            return _TERMINATED if isinstance(interrupt, _Terminated) else _INTERRUPTED
        return 0

    def _cancel(self, task: Task, out: OutputWrapper) -> None:
        out.write("Cancelling …")
        out.flush()
        with refusals_as_command_errors():
            services.cancel(task_id=task.pk, actor=Actor.command_line(), now=timezone.now())
        until = time.monotonic() + _CANCELLING_SECONDS
        while not task_snapshot(task.pk).task.is_over and time.monotonic() < until:
            _pause()

    def _print_results(self, task: Task, *, as_json: bool) -> None:
        found = results(task, texts=texts_of(task))
        if as_json:
            document = {"task_id": task.pk, "status": task.status}
            document |= camel_case_results(found, now=timezone.now())
            text = json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
            self.stdout.write(text)
            return
        for each in found.details:
            if result := found.texts.get(each.position):
                text = f"\n── {each.name} ──\n{result}"
                self.stdout.write(without_control_characters(text))
        self.stdout.write("\n" + _summary(task, found))


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does. Only the main thread may set what signals do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _close_output(out: OutputWrapper) -> None:
    """What is still to be written goes nowhere: at the exit, Python would say that it cannot."""
    terminal = sys.stdout
    if out._out == terminal:
        os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.fileno())


def _summary(task: Task, found: Results) -> str:
    why = f" ({task.status_reason})" if task.status_reason else ""
    took = f", {(task.ended_at - task.created_at).total_seconds():.1f} s" if task.ended_at else ""
    return (
        f"{task.status}{why}: {found.successful:,} of {len(found.details):,} successful "
        f"({found.success_rate} %), {found.tokens:,} of {task.budget:,} tokens, "
        f"{formatting.dollars(found.cost)}{took}"
    )


def _progress_display(out: OutputWrapper) -> ProgressDisplay:
    console = Console(file=cast(IO[str], out._out))
    return LiveDisplay(console) if console.is_terminal else LineDisplay(out)


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS)
