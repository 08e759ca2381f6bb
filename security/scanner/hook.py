"""Hooks of Git: scan what is staged before a commit, warn before a push to a public host."""

from __future__ import annotations

import os
import re
import shlex
import sys

from security.scanner import git

_MARK = "# Butler's gate"
_KEPT = ".before-gate"
_HOOK = """#!/bin/sh
{mark}: made by `gate install`. The hook that was here before runs first.
if [ -x "$0{kept}" ]; then "$0{kept}" "$@" || exit $?; fi
if [ ! -x {python} ] || [ ! -f {script} ]; then
  echo "gate: it is no longer where it was installed from. Run 'gate install' again." >&2
  exit 1
fi
exec {python} -I -S {script} {arguments}
"""
_STAGED = "scan --staged"
_ARGUMENTS = {
    "pre-commit": _STAGED,
    "pre-merge-commit": _STAGED,
    "pre-push": 'pre-push "$2" </dev/null',
}
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^@/]*@)?([A-Za-z0-9.-]+)[:/]")
_PUBLIC_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "sr.ht", "gitea.com")


def install() -> str:
    """Write the hooks where Git looks for them; a hook that is there is kept and runs first."""
    folder = git.run("rev-parse", "--git-path", "hooks").strip("\n")
    os.makedirs(folder, exist_ok=True)
    for name in _ARGUMENTS:
        _write(os.path.join(folder, name), name)
    return f"The gate is installed in {folder}.\n"


def _write(path: str, name: str) -> None:
    if os.path.lexists(path) and not _is_ours(path):
        os.replace(path, path + _KEPT)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    hook = _HOOK.format(
        mark=_MARK,
        kept=_KEPT,
        python=shlex.quote(sys.executable),
        script=shlex.quote(script),
        arguments=_ARGUMENTS[name],
    )
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(hook)
    os.chmod(path, 0o755)  # noqa: S103  a hook is run by its owner, and read by all as Git's are


def _is_ours(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return _MARK in file.read()


def pre_push(url: str) -> tuple[int, str]:
    """(exit code, text) before a push to `url`, by `git config gate.publicpush` and .privateremote.

    publicpush is `warn` (default), `refuse` or `off`. privateremote is the beginning of the URL of
    a repository that is private, and may be given many times.
    """
    policy = git.config("gate.publicpush") or ["warn"]
    private = tuple(git.config("gate.privateremote"))
    host = _HOST.match(url)
    if policy[-1] == "off" or not host or host[1].lower() not in _PUBLIC_HOSTS:
        return 0, ""
    if private and url.startswith(private):
        return 0, ""
    return int(policy[-1] == "refuse"), (
        f"This push goes to {host[1]}, where a repository can be public. If this one is private:\n"
        f"  git config --add gate.privateremote {shlex.quote(_without_password(url))}\n"
    )


def _without_password(url: str) -> str:
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", url)
