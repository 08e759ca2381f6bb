"""Which kinds the source code raises alerts with, read from its syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.site.layers import HEIGHT


def violations(root: Path) -> list[str]:
    """Every call below `root` that raises an alert of no registered kind, or makes a kind that is
    not registered, as `file:line: reason`.
    """
    constants = set(_constants(root))
    return [
        f"{file.relative_to(root)}:{node.lineno}: {reason}"
        for file, tree in _trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        if (reason := _objection(node, file, tree, constants))
    ]


def unused_constants(root: Path) -> list[str]:
    """Constants of `alert_kinds` modules that no other module names."""
    named = {
        _name(node)
        for file, tree in _trees(root)
        if file.name != "alert_kinds.py"
        for node in ast.walk(tree)
    }
    return sorted(set(_constants(root)) - named)


def registered_in_modules(root: Path) -> int:
    """How many kinds the `alert_kinds` modules of all apps register."""
    return len(list(_constants(root)))


def _trees(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for app in HEIGHT:
        for file in sorted((root / app).rglob("*.py")):
            yield file, ast.parse(file.read_text(encoding="utf-8"))


def _constants(root: Path) -> Iterator[str]:
    for file, tree in _trees(root):
        if file.name == "alert_kinds.py":
            yield from (
                _name(node.targets[0])
                for node in tree.body
                if isinstance(node, ast.Assign) and _is_registered(node.value)
            )


def _is_registered(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and _name(value.func) == "register"


def _objection(call: ast.Call, file: Path, tree: ast.Module, constants: set[str]) -> str:
    if _name(call.func) == "AlertKind":
        return _objection_to_making(call, file, tree)
    if _name(call.func) != "raise_alert":
        return ""
    kinds = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
    if not kinds:
        return "no kind"
    name = _name(kinds[0])
    if not name:
        return "kind is not a constant of an alert_kinds module"
    # A variable in lower case is annotated as AlertKind: the type checker looks at it.
    return f"{name} is not registered" if name.isupper() and name not in constants else ""


def _objection_to_making(call: ast.Call, file: Path, tree: ast.Module) -> str:
    if file.name != "alert_kinds.py":
        return "AlertKind outside of alert_kinds"
    registered = any(
        isinstance(node, ast.Call) and _is_registered(node) and call in node.args
        for node in ast.walk(tree)
    )
    return "" if registered else "AlertKind without register"


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
