"""The options of `run_task`, and the task request that they and a file make."""

import json
from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
from django.conf import settings

from keys.models import Agent
from keys.refusals import WrongValue
from orchestration import demo_task, planning
from orchestration.models import SubTask
from orchestration.planning.base import short_name
from orchestration.services import TaskRequest
from orchestration.services.task_request import PLANNERS

_FILE_BYTES_MAX = 64_000_000
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_SUB_TASK = {
    "type": "object",
    "required": ["description"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["string", "integer"]},
        "name": _TEXT,
        "description": _TEXT,
        "priority": {"enum": list(planning.WEIGHTS)},
        "depends_on": {"type": "array", "items": {"type": ["string", "integer"]}},
        "estimated_tokens": _WHOLE,
        "runner": _TEXT,
        "model": _TEXT,
        "provider": _TEXT,
        "needs_approval": {"type": "boolean"},
        "if_dependency_fails": {"enum": list(SubTask.IfDependencyFails)},
    },
}
_TYPES = {"str": _TEXT, "int": _WHOLE, "bool": {"type": "boolean"}, "int | None": _WHOLE}
_PLAN = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **{
            f.name: _TYPES[str(getattr(f.type, "__name__", f.type))]
            for f in fields(TaskRequest)
            if f.name != "sub_tasks"
        },
        "sub_tasks": {"type": "array", "items": _SUB_TASK},
    },
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that make the task request."""
    parser.add_argument(
        "description", nargs="?", help='the work, such as "Research, analyze, write"'
    )
    parser.add_argument(
        "--from-file",
        metavar="FILE",
        type=Path,
        help="a .json file with the sub-tasks, or a text file with the description",
    )
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="the budget of the task")
    parser.add_argument("--agent", metavar="NAME", help="the agent that submits the task")
    parser.add_argument("--name", help="the name of the task (default: its first words)")
    parser.add_argument(
        "--planner", choices=PLANNERS, help="what finds the sub-tasks (default: keyword)"
    )
    parser.add_argument(
        "--parallel", action="store_true", default=None, help="run them at the same time"
    )
    parser.add_argument("--runner", help="what runs the attempts (default: model)")
    parser.add_argument(
        "--max-concurrent", type=int, metavar="N", help="sub-agents at the same time (default: 3)"
    )
    parser.add_argument(
        "--timeout", type=int, metavar="SECONDS", help="time limit of the task (default: 3600)"
    )


def task_request(options: dict[str, Any]) -> TaskRequest:
    """The task request of the options and the file; an option overrides the file.

    Refusals: WrongValue.
    """
    values = _file_values(options["from_file"]) if options["from_file"] else {}
    names = ("description", "name", "planner", "parallel", "runner", "max_concurrent", "timeout")
    values |= {name: options[name] for name in names if options[name] is not None}
    if options["budget"] is not None:
        values["total_budget"] = options["budget"]
    if "total_budget" not in values:
        raise WrongValue(
            "The task needs a budget. Give the number of tokens: --budget N.", field="budget"
        )
    values["sub_tasks"] = tuple(values.get("sub_tasks", ()))
    values.setdefault("name", _name(values))
    return TaskRequest(**values)


def _name(values: dict[str, Any]) -> str:
    first = values["sub_tasks"][0]["description"] if values["sub_tasks"] else ""
    return short_name(values.get("description") or first) or "task"


def _file_values(file: Path) -> dict[str, Any]:
    text = _read_text(file)
    if file.suffix != ".json":
        return {"description": text, "name": file.stem[:200]}
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongValue(f"{file} is not valid JSON: {error}", field="from_file") from error
    plan = {"sub_tasks": plan} if isinstance(plan, list) else plan
    wrong = jsonschema.Draft202012Validator(_PLAN).iter_errors(plan)
    if first := jsonschema.exceptions.best_match(wrong):
        where = "".join(f"[{step!r}]" for step in first.absolute_path)
        raise WrongValue(f"{file}{where}: {first.message[:300]}.", field="from_file")
    return plan


def _read_text(file: Path) -> str:
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise WrongValue(f"{file} is larger than {_FILE_BYTES_MAX:,} bytes.", field="from_file")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongValue(f"{file} cannot be read: {error.strerror}.", field="from_file") from error
    except UnicodeDecodeError as error:
        raise WrongValue(f"{file} is not a text file in UTF-8.", field="from_file") from error


def submitting_agent(name: str | None) -> str:
    """The agent that submits the task: the one with this name, the only one, or that of the demo.

    Refusals: WrongValue.
    """
    if name:
        return name
    enabled = Agent.objects.filter(disabled_at=None).order_by("pk")
    names = list(enabled.values_list("pk", flat=True)[:20])
    if len(names) == 1:
        return names[0]
    if demo_task.AGENT in names and not settings.PRODUCTION:
        return demo_task.AGENT
    if not names:
        raise WrongValue(
            "No agent exists yet. Create one with: manage.py create_agent NAME", field="agent"
        )
    raise WrongValue(
        f"Name the agent that submits the task: --agent NAME. Agents: {', '.join(names)}.",
        field="agent",
    )
