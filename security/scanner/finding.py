"""One secret that was found, and how it is told without the secret."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from security.scanner.rules import Rule

_CLEAR_CHARACTERS_MAX = 10
_LOWER = {"error": "warning", "warning": "note", "note": "note"}


class Finding:
    """A secret at a place. `secret` stays in memory: reports write `excerpt`.

    Lines and columns count from 1, columns in characters; `end_column` is behind the last one.
    """

    __slots__ = (
        "certain",
        "column",
        "commit",
        "end_column",
        "end_line",
        "level",
        "line",
        "object_id",
        "path",
        "rule",
        "secret",
        "title",
    )

    def __init__(self, rule: Rule, secret: str, *, certain: bool, doubtful: bool) -> None:
        self.rule = rule.id
        self.title = rule.title
        self.secret = secret
        self.certain = certain
        self.level = _LOWER[rule.level] if doubtful else rule.level
        self.path = ""
        # Git's name of the content, and of the commit that brought it, if the history was scanned.
        self.object_id = self.commit = ""
        self.line = self.column = self.end_line = self.end_column = 1

    @property
    def excerpt(self) -> str:
        """The part of the secret that every secret of its kind begins with, and its length."""
        return f"{self._clear()}… ({len(self.secret)} characters)" if self.secret else ""

    def _clear(self) -> str:
        head = self.secret[:_CLEAR_CHARACTERS_MAX]
        if self.secret.startswith("-----BEGIN"):
            return "-----BEGIN"
        cut = max(head.rfind(separator) for separator in "-_.") + 1
        return head[:cut] if cut <= len(self.secret) // 4 else ""


def printable(path: str) -> str:
    """A path with its line ends, control characters and bytes that are no text as `\\x0a`."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in path)
