"""The SQL of the orchestrator.

Locks are taken in one order everywhere: the lock of claiming (GIVE_PLACES), tasks by id, attempts
by id. A sub-task changes only under the lock of its task.
"""

from orchestration.sql.claim import (
    CANDIDATES,
    GIVE_PLACES,
    PROMISED,
    RUNNING,
    SPENT,
    TAKE,
    TAKE_OVER,
)
from orchestration.sql.finalize import FINALIZE, LEFT_OVER
from orchestration.sql.finish import (
    END_ATTEMPTS,
    END_TASKS,
    FAIL_DEPENDENTS,
    MOVE_SUB_TASKS,
    UNBLOCK,
)

__all__ = [
    "FINALIZE",
    "CANDIDATES",
    "END_ATTEMPTS",
    "END_TASKS",
    "FAIL_DEPENDENTS",
    "GIVE_PLACES",
    "LEFT_OVER",
    "MOVE_SUB_TASKS",
    "PROMISED",
    "RUNNING",
    "SPENT",
    "TAKE",
    "TAKE_OVER",
    "UNBLOCK",
]
