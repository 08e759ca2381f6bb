"""Configure command-line agents: Butler runs only commands that a superuser has configured."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from keys import services as keys
from keys.models import Agent, CostCentre, WireFormat
from keys.reasons import check_reason
from keys.refusals import WrongValue
from orchestration.audit_actions import Action
from orchestration.models import Command
from orchestration.runners import placeholders
from orchestration.runners.bubblewrap import obstacle
from security import audit
from security.actor import Actor

_OUTPUT_BYTES_MAX = 10_000_000
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class CommandTerms:
    """How a command is run; `models.Command` describes the fields."""

    argv: list[str]
    wire_format: str
    environment: dict[str, str] = field(default_factory=dict)
    prompt_by: str = Command.PromptBy.STDIN
    result_from: str = Command.ResultFrom.STDOUT
    result_path: str = ""
    refusal_status: int | None = None
    output_bytes_max: int = 1_000_000
    read_only_folders: list[str] = field(default_factory=list)
    memory_bytes_max: int = 4_000_000_000
    processes_max: int = 500
    folder_bytes_max: int = 500_000_000
    unfenced_because: str = ""
    agents: list[str] = field(default_factory=list)
    cost_centres: list[str] = field(default_factory=list)
    enabled: bool = True

    def check(self) -> None:
        """Check every field. Refusal: WrongValue, naming the field."""
        self._check_argv()
        self._check_prompt()
        self._check_environment()
        self._check_result()
        self._check_fence()
        _exist("agents", self.agents, Agent.objects.all())
        _exist("cost_centres", self.cost_centres, CostCentre.objects.all())
        _one_of("wire_format", self.wire_format, WireFormat.values)
        _one_of("refusal_status", self.refusal_status, (None, *keys.REFUSAL_STATUSES))

    def _check_argv(self) -> None:
        if not self.argv or not self.argv[0].strip():
            raise WrongValue("Enter the program to run as the first argument.", field="argv")
        if placeholders.names_in(self.argv[0]):
            raise WrongValue("The program itself must not contain a placeholder.", field="argv")
        for argument in self.argv:
            _check_template("argv", argument, placeholders.IN_ARGUMENTS)

    def _check_prompt(self) -> None:
        _one_of("prompt_by", self.prompt_by, Command.PromptBy.values)
        named = set().union(*map(placeholders.names_in, self.argv))
        wanted = {"argument": {"prompt"}, "file": {"prompt_file"}}.get(self.prompt_by, set())
        if wanted != named & {"prompt", "prompt_file"}:
            what = " and ".join(f"{{{name}}}" for name in wanted) or "neither"
            raise WrongValue(
                f"With prompt_by {self.prompt_by}, the arguments must contain {what} of {{prompt}} "
                "and {prompt_file}.",
                field="argv",
            )
        for position, argument in enumerate(self.argv):
            if argument.startswith("{prompt}") and "--" not in self.argv[:position]:
                raise WrongValue(
                    "The program would read a prompt that begins with a dash as an option. Put -- "
                    "before {prompt}, or pass the prompt on standard input.",
                    field="argv",
                )

    def _check_environment(self) -> None:
        if not isinstance(self.environment, dict):
            raise WrongValue("environment must map names to values.", field="environment")
        for name, template in self.environment.items():
            if not _VARIABLE.fullmatch(name) or not isinstance(template, str):
                raise WrongValue(
                    f"{name!r} must be a valid variable name, and its value a text.",
                    field="environment",
                )
            _check_template("environment", template, placeholders.IN_ENVIRONMENT)

    def _check_result(self) -> None:
        _one_of("result_from", self.result_from, Command.ResultFrom.values)
        if (self.result_from == Command.ResultFrom.STDOUT) == bool(self.result_path):
            raise WrongValue(
                "Enter the name of the file or of the JSON field. Leave it empty for standard "
                "output.",
                field="result_path",
            )
        if self.result_from == Command.ResultFrom.FILE and (
            "/" in self.result_path or self.result_path in (".", "..")
        ):
            raise WrongValue("The file must be in the working folder itself.", field="result_path")
        if not 0 < self.output_bytes_max <= _OUTPUT_BYTES_MAX:
            raise WrongValue(
                f"output_bytes_max must be from 1 to {_OUTPUT_BYTES_MAX:,}.",
                field="output_bytes_max",
            )

    def _check_fence(self) -> None:
        for folder in self.read_only_folders:
            if says := obstacle(folder):
                raise WrongValue(says, field="read_only_folders")
        for name in ("memory_bytes_max", "processes_max", "folder_bytes_max"):
            if getattr(self, name) < 1:
                raise WrongValue(f"{name} must be at least 1.", field=name)


@transaction.atomic(durable=True)
def set_command(
    slug: str, *, terms: CommandTerms, reason: str, actor: Actor, now: datetime
) -> Command:
    """Add a command, or change one; attempts that run keep the old terms. Refusal: WrongValue."""
    check_reason(reason)
    if not _SLUG.fullmatch(slug):
        raise WrongValue(
            "The slug must have 1 to 64 lower-case letters, digits, - or _.", field="slug"
        )
    terms.check()
    columns = asdict(terms)
    agents, cost_centres = columns.pop("agents"), columns.pop("cost_centres")
    disabled_at = None if columns.pop("enabled") else now
    command = Command.objects.select_for_update().filter(pk=slug).first()
    before = _values(command) if command else None
    if command is None:
        command = Command(slug=slug, created_at=now)
    elif command.disabled_at and disabled_at:
        disabled_at = command.disabled_at
    for column, value in {**columns, "disabled_at": disabled_at}.items():
        setattr(command, column, value)
    command.save()
    command.agents.set(agents)
    command.cost_centres.set(cost_centres)
    audit.record(
        actor=actor,
        action=Action.COMMAND_CHANGE if before else Action.COMMAND_ADD,
        subject=f"command:{slug}",
        before=before,
        after=_values(command),
        reason=reason,
        at=now,
    )
    return command


def _values(command: Command) -> dict[str, Any]:
    """The configured fields of a command, for the audit."""
    columns = [column.name for column in Command._meta.concrete_fields]
    values = {name: getattr(command, name) for name in columns if not name.endswith("_at")}
    may_use = {
        "agents": sorted(command.agents.values_list("pk", flat=True)),
        "cost_centres": sorted(command.cost_centres.values_list("pk", flat=True)),
    }
    return {**values, **may_use, "enabled": command.disabled_at is None}


def _exist(name: str, slugs: list[str], rows: QuerySet[Any]) -> None:
    if unknown := set(slugs) - set(rows.filter(pk__in=slugs).values_list("pk", flat=True)):
        raise WrongValue(f"{min(unknown)} does not exist.", field=name)


def _one_of(name: str, value: object, among: Iterable[object]) -> None:
    if value not in among:
        allowed = ", ".join("nothing" if one is None else str(one) for one in among)
        raise WrongValue(f"{name} must be one of: {allowed}.", field=name)


def _check_template(name: str, template: str, known: frozenset[str]) -> None:
    if "\0" in template:
        raise WrongValue("Arguments and variables must not contain NUL.", field=name)
    if unknown := placeholders.names_in(template) - known:
        raise WrongValue(
            f"The placeholder {{{min(unknown)}}} is not known here. Use one of: "
            + ", ".join(f"{{{one}}}" for one in sorted(known))
            + ".",
            field=name,
        )
