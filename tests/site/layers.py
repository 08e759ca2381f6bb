"""Who may import whom and read whose tables: reads the imports and the SQL of every app, wherever
in a file they stand."""

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
    ("gate",),
    ("reports",),
    ("api", "dashboard"),
    ("butler_site",),
)
HEIGHT = {app: height for height, line in enumerate(LINES) for app in line}
OPEN_EVERYWHERE = {"services", "queries", "models"}
# It wires the others together: jobs, urls, admin and all.
WIRES_EVERYTHING = "butler_site"


# What stands before the name of a table in SQL.
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TRUNCATE)\s+(?:ONLY\s+)?\"?([a-z_]+)", re.I)


def violations(root: Path) -> list[str]:
    """Every import below `root` that points up or reaches into another app, and every statement
    that reads a table of another app, as sentences."""
    return _imports_amiss(root) + _tables_amiss(root)


def _imports_amiss(root: Path) -> list[str]:
    return [
        f"{file.relative_to(root)}:{line} imports {module}: {reason}"
        for app in HEIGHT
        for file in sorted((root / app).rglob("*.py"))
        for line, module in _imports(file, root)
        if (reason := _objection(app, module, root))
    ]


def _tables_amiss(root: Path) -> list[str]:
    return [
        f"{file.relative_to(root)}:{line} reads {table}: the table is private to {owner}"
        for app in HEIGHT
        for file in sorted((root / app).rglob("*.py"))
        for line, table in _tables(file)
        if (owner := _owner(table)) not in ("", app) and table not in open_to_sql(owner, root)
    ]


def _tables(file: Path) -> Iterator[tuple[int, str]]:
    """Line and name of every table that a text of a file names as SQL does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for found in _TABLE.finditer(node.value):
                yield node.lineno + node.value.count("\n", 0, found.start(1)), found[1]


def _owner(table: str) -> str:
    """The app that a table belongs to by its name; blank if to none of them."""
    return next((app for app in HEIGHT if table.startswith(f"{app}_")), "")


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


def open_to_sql(app: str, root: Path) -> set[str]:
    """The tables and views of an app that the SQL of others may name: after "Open to SQL:"."""
    return _named(app, root, after="Open to SQL")


def folders(app: str, root: Path) -> set[str]:
    """The folders of an app that each have models, services and queries: named after "Folders:"."""
    return _named(app, root, after="Folders")


def _named(app: str, root: Path, *, after: str) -> set[str]:
    source = (root / app / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    named = re.search(rf"{after}:([^.]*)\.", docstring)
    return set(re.findall(r"`(\w+)`", named[1])) if named else set()
