"""Read a description that is nothing but data, in JSON, TOML or XML, with a list of tasks in it."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from html import unescape
from typing import Any, NamedTuple

from orchestration.planning.list_parts import Found
from orchestration.planning.tables import says_done, task_column

# TOML is read by Python code, so a longer text would take too long.
_TOML_MAX = 50_000
_LISTS = frozenset(
    ("tasks", "task", "sub_tasks", "subtasks", "steps", "step", "todo", "todos", "to_do")
    + ("actions", "action_items", "issues", "tickets", "stories", "items", "plan", "work")
    + ("work_items", "cards", "aufgaben", "schritte", "tareas", "pasos", "tâches", "étapes")
    + ("任务", "步骤", "タスク")
)
# Names of the title of an entry, if the list is called one of tasks.
_TITLES = frozenset(
    ("title", "name", "summary", "description", "text", "subject", "titel", "titre", "título")
)
_STATUS = frozenset(["status", "state", "done", "completed", "checked", "closed", "erledigt"])
_ELEMENTS = re.compile(
    r"\s*<(?P<list>\w+)[^<>]*>\s*"
    r"(?:<(?P<name>task|step|todo|action)\b[^<>]*>[^<]*</(?P=name)>\s*){2,}</(?P=list)>\s*"
)
_ELEMENT = re.compile(r"<(?:task|step|todo|action)\b([^<>]*)>([^<]*)</")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*["']([^"'<>]*)["']""")


class _Task(NamedTuple):
    """The title, the whole text, and whether it is done."""

    title: str
    text: str
    is_done: bool = False


def data_parts(text: str) -> Found | None:
    """The tasks of a text that is data as a whole; None if it is not, or has no list of tasks."""
    text = _without_fence(text.strip())
    found = _elements(text) if text.startswith("<") else _tasks(_data(text), is_named=False)
    if not found:
        return None
    parts = [(task.title, task.text) for task in found if not task.is_done]
    return Found(parts, len(found) - len(parts))


def _without_fence(text: str) -> str:
    if not text.startswith("```") or not text.endswith("\n```"):
        return text
    first, _, rest = text[:-4].partition("\n")
    return rest.strip() if "```" not in rest and "`" not in first[3:] else text


def _data(text: str) -> Any:
    readers: list[Callable[[str], Any]] = []
    if text.startswith(("[", "{")) and text.endswith(("]", "}")):
        readers += [json.loads, _json_lines]
    if text.startswith("[[") and len(text) <= _TOML_MAX:
        readers.append(tomllib.loads)
    for read in readers:
        with suppress(ValueError, RecursionError):
            return read(text)
    return None


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _tasks(data: Any, *, is_named: bool) -> list[_Task]:
    """The tasks of a list, or of the only list in a mapping that is called one of tasks.

    `is_named`: whether the name of the list says that its entries are tasks.
    """
    if isinstance(data, Mapping):
        lists = [(key, value) for key, value in data.items() if str(key).lower() in _LISTS]
        if not lists and len(data) == 1:
            # The only entry may be a project around its list.
            inside = [value for value in data.values() if isinstance(value, Mapping)]
            return _tasks(inside[0], is_named=False) if inside else []
        return _tasks(lists[0][1], is_named=lists[0][0] != "items") if len(lists) == 1 else []
    if not isinstance(data, list) or len(data) < 2:
        return []
    found = [_task(entry, is_named) for entry in data]
    return [task for task in found if task] if all(found) else []


def _task(entry: Any, is_named: bool) -> _Task | None:
    if isinstance(entry, str):
        return _Task(entry.strip(), entry.strip()) if _is_title(entry, is_named) else None
    if not isinstance(entry, Mapping):
        return None
    names = [str(name) for name in entry]
    column = task_column(names)
    if column is None and is_named:
        column = next((at for at, name in enumerate(names) if name.lower() in _TITLES), None)
    title = entry[names[column]] if column is not None else ""
    if not isinstance(title, str) or not _is_title(title, is_named):
        return None
    others = [f"{name}: {_text(value)}" for name, value in entry.items() if value is not title]
    done = any(_says_done(value) for name, value in entry.items() if name.lower() in _STATUS)
    return _Task(title.strip(), "\n".join([title.strip(), *others]), done)


def _is_title(text: str, is_named: bool) -> bool:
    """Whether the text can be a task: a word is a value, unless the list is one of tasks."""
    text = text.strip()
    return bool(text) and (is_named or " " in text or not text.isascii())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _says_done(value: Any) -> bool:
    return value is True or (isinstance(value, str) and says_done(value))


def _elements(text: str) -> list[_Task]:
    if not _ELEMENTS.fullmatch(text):
        return []
    found = []
    for match in _ELEMENT.finditer(text):
        title = " ".join(unescape(match[2]).split())
        fields = _ATTRIBUTE.findall(match[1])
        done = any(
            name in _STATUS and (value == "true" or says_done(value)) for name, value in fields
        )
        others = [f"{name}: {value}" for name, value in fields]
        found.append(_Task(title, "\n".join([title, *others]), done))
    return [task for task in found if task.title]
