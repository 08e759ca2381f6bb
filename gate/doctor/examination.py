"""Run the checks, and what each says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import Error


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check says, and what to do if it is not ok."""

    state: State
    says: str
    remedy: str = ""


Check = Callable[[datetime], Finding]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finding with the name of its check."""

    check: str
    state: str
    says: str
    remedy: str


def ok(says: str) -> Finding:
    """Nothing is wrong."""
    return Finding(state=State.OK, says=says)


def warning(says: str, remedy: str) -> Finding:
    """Something should be looked at."""
    return Finding(state=State.WARNING, says=says, remedy=remedy)


def failed(says: str, remedy: str) -> Finding:
    """Something does not work, or will not."""
    return Finding(state=State.FAILED, says=says, remedy=remedy)


def examine(checks: Iterable[Check], *, now: datetime) -> list[Result]:
    """The result of every check. One that cannot be run has failed, and the others still run."""
    return [_result(check, now) for check in checks]


def _result(check: Check, now: datetime) -> Result:
    try:
        finding = check(now)
    except (Error, OSError) as error:
        finding = failed(
            f"The check could not be run: {error}".strip(),
            "Repair what the other lines name first, then run this command again.",
        )
    return Result(
        check=check.__name__, state=finding.state, says=finding.says, remedy=finding.remedy
    )
