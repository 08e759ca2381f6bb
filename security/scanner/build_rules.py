"""Write rule_data.py from rules.toml: `python -m security.scanner.build_rules`.

A hook that reads TOML at each start would spend 30 ms on it; the module is read in one.
"""

import tomllib
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
RULES = _HERE / "rules.toml"
TARGET = _HERE / "rule_data.py"
_HEAD = '''"""Made by `python -m security.scanner.build_rules` from rules.toml: edit that file."""

# ruff: noqa: E501, S105
from __future__ import annotations

'''
_RULE = {
    "id": "",
    "title": "",
    "prefixes": (),
    "markers": (),
    "words": (),
    "expression": "",
    "lead": 0,
    "alphabet": "A-Za-z0-9_-",
    "entropy": 2.5,
    "check": "",
    "level": "error",
    "allow": (),
}
_FILE = {"id": "", "title": "", "pattern": "", "except": "", "level": "error"}


def rule_module() -> str:
    """The text of rule_data.py."""
    content = tomllib.loads(RULES.read_text())
    return _HEAD + "\n".join(
        [
            f"RULES: list[tuple[object, ...]] = [\n{_rows(content['rule'], _RULE)}]",
            f"FILES: list[tuple[str, ...]] = [\n{_rows(content['file'], _FILE)}]",
            *(
                f"{name.upper()} = {_constant(value)!r}"
                for name, value in content["generic"].items()
            ),
            "",
        ]
    )


def _rows(entries: list[dict[str, Any]], defaults: dict[str, Any]) -> str:
    for entry in entries:
        if unknown := entry.keys() - defaults.keys():
            raise ValueError(f"{entry['id']}: unknown fields {sorted(unknown)}")
    return "".join(f"    {_row({**defaults, **entry})!r},\n" for entry in entries)


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_constant(value) for value in entry.values())


def _constant(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    TARGET.write_text(rule_module())
