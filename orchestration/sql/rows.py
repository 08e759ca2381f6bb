"""Rows that several statements of the orchestrator return."""

from typing import NamedTuple


class AttemptRow(NamedTuple):
    """An attempt that a statement wrote."""

    attempt_id: int


class TaskRow(NamedTuple):
    """A task that a statement wrote."""

    task_id: int
