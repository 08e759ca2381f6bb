"""The rules, indexed by what makes a text worth a closer look, and compiled at their first use."""

from __future__ import annotations

import re

from security.scanner import rule_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX_INDEX_CHARACTERS = 2


class Rule:
    """One kind of secret; the fields are described in rules.toml."""

    __slots__ = (
        "_pattern",
        "allow",
        "alphabet",
        "check",
        "entropy",
        "expression",
        "id",
        "lead",
        "level",
        "markers",
        "prefixes",
        "title",
        "words",
    )

    def __init__(self, row: tuple[Any, ...]) -> None:
        (
            self.id,
            self.title,
            self.prefixes,
            self.markers,
            self.words,
            self.expression,
            self.lead,
            self.alphabet,
            self.entropy,
            self.check,
            self.level,
            self.allow,
        ) = row
        self._pattern: re.Pattern[str] | None = None

    def match(self, text: str, start: int) -> re.Match[str] | None:
        """The whole secret at `start`, with no further character of its alphabet on either side.

        What a group picks out has the rest of the expression before it.
        """
        if self._pattern is None:
            self._pattern = re.compile(self._bounded(), re.ASCII)
        return self._pattern.match(text, start)

    def _bounded(self) -> str:
        if not self.alphabet:
            return str(self.expression)
        if "(" in self.expression.replace("(?", "").replace("\\(", ""):
            return f"(?:{self.expression})(?![{self.alphabet}])"
        # The `n` of a line's end that is written as `\\n` is no part of what follows.
        before = rf"(?:(?<![{self.alphabet}])|(?<=\\[nrt]))"
        return f"{before}(?:{self.expression})(?![{self.alphabet}])"

    def allows(self, secret: str) -> bool:
        """Whether the rule says of this value that it is no secret."""
        return any(re.fullmatch(expression, secret) for expression in self.allow)


RULES = [Rule(row) for row in rule_data.RULES]
BY_ID = {rule.id: rule for rule in RULES}


def _by_prefix() -> dict[str, list[tuple[str, Rule]]]:
    index: dict[str, list[tuple[str, Rule]]] = {}
    for rule in RULES:
        for prefix in rule.prefixes:
            index.setdefault(prefix[:PREFIX_INDEX_CHARACTERS], []).append((prefix, rule))
    return index


BY_PREFIX = _by_prefix()
BY_MARKER = [(marker, rule) for rule in RULES for marker in rule.markers]
BY_WORD = [rule for rule in RULES if rule.words]
GENERIC = Rule(("generic-secret", rule_data.TITLE, (), (), (), "", 0, "", 0.0, "", "error", ()))


def _file_rule(row: tuple[str, ...]) -> tuple[Rule, str]:
    name, title, pattern, excepted, level = row
    return Rule((name, title, (), (), (), pattern, 0, "", 0.0, "", level, ())), excepted


FILE_RULES = [_file_rule(row) for row in rule_data.FILES]
