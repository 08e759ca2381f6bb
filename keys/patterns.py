"""Patterns of names, as `*` and `?` of a shell: of models that keys serve, aliases, allow-lists."""

import re

_CHARACTERS = frozenset("*?[")
_CHARACTERS_MAX = 200
# What a pattern is made of: a set of characters, any text, any character, or a character.
_PARTS = re.compile(r"\[(!?)([^]]+)\]|(\*)|(\?)|(.)", re.DOTALL)
# What has a meaning in a set of characters of a regular expression.
_SPECIAL, _ESCAPED = re.compile(r"([\\^\[])"), r"\\\1"


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern, which may match several names."""
    return not _CHARACTERS.isdisjoint(text)


def pattern_mistake(text: str) -> str | None:
    """What is wrong with a text that should be a name or a pattern; None if nothing is."""
    if not 0 < len(text) <= _CHARACTERS_MAX or not text.isprintable() or " " in text:
        return (
            f"Use names and patterns of 1 to {_CHARACTERS_MAX} characters without spaces, such as "
            "fast or claude-*-haiku*."
        )
    if any(literal == "[" for *_, literal in _PARTS.findall(text)):
        return f"Close the [ in the pattern {text}."
    try:
        re.compile(regular_expression(text))
    except re.error:
        return f"Order the characters in [ and ] of the pattern {text}, such as [a-z]."
    return None


def regular_expression(pattern: str) -> str:
    """The pattern as a regular expression for Python and PostgreSQL, without anchors."""
    return _PARTS.sub(_translate, pattern)


def _translate(part: re.Match[str]) -> str:
    inverted, characters, any_text, any_character, literal = part.groups()
    if characters:
        return f"[{'^' if inverted else ''}{_SPECIAL.sub(_ESCAPED, characters)}]"
    if any_text or any_character:
        return ".*" if any_text else "."
    return re.escape(literal)
