"""Whether and where findings are sent, by the command line, the environment and Git's settings."""

from __future__ import annotations

import os

from security.scanner import git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Destination:
    """A Butler that findings are sent to.

    `token` is that of an agent. `with_secrets`: send also the secrets, so that Butler can tell
    which are its own. `folder` is the repository's, empty if files were named by their paths.
    """

    __slots__ = ("folder", "token", "url", "with_secrets")

    def __init__(self, url: str, token: str, *, with_secrets: bool, folder: str) -> None:
        self.url = url
        self.token = token
        self.with_secrets = with_secrets
        self.folder = folder

    @classmethod
    def of(cls, options: dict[str, str]) -> Self | None:
        """Where the findings of a scan go, or None. Hooks have no option for it, and ask Git."""
        url = options.get("report") or _setting("BUTLER_GATE_URL", "gate.report")
        if not url and "report" not in options:
            return None
        return cls(
            url,
            _setting("BUTLER_GATE_TOKEN", "gate.reporttoken"),
            with_secrets="report-secrets" in options or _last("gate.reportsecrets") == "true",
            folder=_folder() if {"staged", "tracked", "history", "diff"} & {*options} else "",
        )


def _setting(variable: str, name: str) -> str:
    return os.environ.get(variable) or _last(name)


def _last(name: str) -> str:
    return ["", *git.config(name)][-1]


def _folder() -> str:
    try:
        return os.path.basename(git.run("rev-parse", "--show-toplevel").strip("\n"))
    except git.GitError:  # a repository without files
        return ""
