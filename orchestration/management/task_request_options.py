"""What `run_task` was asked for, as a task request: from options, or from a file."""

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
    """The options that say what is to be done."""
    parser.add_argument("description", nargs="?", help='such as "Research, analyze, write"')
    parser.add_argument(
        "--from-file", metavar="FILE", type=Path, help="plan.json (sub_tasks), or a text to plan"
    )
    parser.add_argument("--budget", type=int, metavar="TOKENS", help="for all of it")
    parser.add_argument("--agent", metavar="NAME", help="who submits it and pays")
    parser.add_argument("--name", help="of the task (its first words)")
    parser.add_argument("--planner", choices=PLANNERS, help="who finds the sub-tasks (keyword)")
    parser.add_argument("--parallel", action="store_true", default=None, help="side by side")
    parser.add_argument("--runner", help="what carries the attempts out (model)")
    parser.add_argument("--max-concurrent", type=int, metavar="N", help="sub-agents at once (3)")
    parser.add_argument("--timeout", type=int, metavar="SECONDS", help="for all of it (3600)")


def task_request(asked: dict[str, Any]) -> TaskRequest:
    """The task request that options and file make; an option goes before the file.

    Refusals: WrongValue.
    """
    told = _of_file(asked["from_file"]) if asked["from_file"] else {}
    names = ("description", "name", "planner", "parallel", "runner", "max_concurrent", "timeout")
    told |= {name: asked[name] for name in names if asked[name] is not None}
    if asked["budget"] is not None:
        told["total_budget"] = asked["budget"]
    if "total_budget" not in told:
        raise WrongValue("Say how many tokens it may use: --budget N.", field="budget")
    told["sub_tasks"] = tuple(told.get("sub_tasks", ()))
    told.setdefault("name", _name(told))
    return TaskRequest(**told)


def _name(told: dict[str, Any]) -> str:
    first = told["sub_tasks"][0]["description"] if told["sub_tasks"] else ""
    return short_name(told.get("description") or first) or "task"


def _of_file(file: Path) -> dict[str, Any]:
    text = _read(file)
    if file.suffix != ".json":
        return {"description": text, "name": file.stem[:200]}
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongValue(f"{file} is no JSON: {error}", field="from_file") from error
    plan = {"sub_tasks": plan} if isinstance(plan, list) else plan
    wrong = jsonschema.Draft202012Validator(_PLAN).iter_errors(plan)
    if first := jsonschema.exceptions.best_match(wrong):
        where = "".join(f"[{step!r}]" for step in first.absolute_path)
        raise WrongValue(f"{file}{where}: {first.message[:300]}.", field="from_file")
    return plan


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise WrongValue(f"{file} is too large.", field="from_file")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongValue(f"{file} cannot be read: {error.strerror}.", field="from_file") from error
    except UnicodeDecodeError as error:
        raise WrongValue(f"{file} is no text in UTF-8.", field="from_file") from error


def agent(asked: str | None) -> str:
    """Who submits it: as asked, the only agent there is, or the one of the demo.

    Refusals: WrongValue.
    """
    if asked:
        return asked
    enabled = Agent.objects.filter(disabled_at=None).order_by("pk")
    there = list(enabled.values_list("pk", flat=True)[:20])
    if len(there) == 1:
        return there[0]
    if demo_task.AGENT in there and not settings.PRODUCTION:
        return demo_task.AGENT
    if not there:
        raise WrongValue(
            "No agent exists yet. Create one with: manage.py create_agent NAME", field="agent"
        )
    raise WrongValue(
        f"Name the agent that submits the task: --agent NAME. Agents: {', '.join(there)}.",
        field="agent",
    )
