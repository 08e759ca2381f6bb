"""Who may import whom: reads the imports of every app, wherever in a file they stand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# From the lowest line of docs/architecture.md to the highest; apps of one line do not know each
# other.
LINES = (
    ("common",),
    ("security",),
    ("alerts",),
    ("keys",),
    ("prediction",),
    ("treasury",),
    ("gateway",),
    ("orchestration", "interchange"),
    ("api", "dashboard"),
    ("butler_site",),
)
HEIGHT = {app: height for height, line in enumerate(LINES) for app in line}
OPEN_EVERYWHERE = {"services", "queries", "models"}
# It wires the others together: jobs, urls, admin and all.
WIRES_EVERYTHING = "butler_site"


def violations(root: Path) -> list[str]:
    """Every import below `root` that points up or reaches into another app, as a sentence."""
    return [
        f"{file.relative_to(root)}:{line} imports {module}: {reason}"
        for app in HEIGHT
        for file in sorted((root / app).rglob("*.py"))
        for line, module in _imports(file, root)
        if (reason := _objection(app, module, root))
    ]


def _imports(file: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports."""
    package = file.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _objection(app: str, module: str, root: Path) -> str:
    other, _, rest = module.partition(".")
    if other not in HEIGHT or other == app:
        return ""
    if HEIGHT[other] >= HEIGHT[app]:
        return f"{other} is not below {app}"
    if app == WIRES_EVERYTHING or other == "common":
        return ""
    part, *names = rest.split(".")
    if part in folders(other, root) and names:
        part, *names = names
    if part not in OPEN_EVERYWHERE | open_modules(other, root):
        return f"{part or 'all'} of {other} is private"
    private = [name for name in names if name.startswith("_")]
    return f"{private[0]} is private" if private else ""


def open_modules(app: str, root: Path) -> set[str]:
    """What the docstring of an app names after "Open:", up to the full stop."""
    return _named(app, root, after=r"Open(?: to other apps)?")


def folders(app: str, root: Path) -> set[str]:
    """The folders of an app that each have models, services and queries: named after "Folders:"."""
    return _named(app, root, after="Folders")


def _named(app: str, root: Path, *, after: str) -> set[str]:
    source = (root / app / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    named = re.search(rf"{after}:([^.]*)\.", docstring)
    return set(re.findall(r"`(\w+)`", named[1])) if named else set()
