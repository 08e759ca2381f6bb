"""The SQL of the orchestrator.

Locks are taken in one order everywhere: the lock of claiming (CLAIM_LOCK), tasks by id, attempts
by id. A sub-task changes only under the lock of its task. What attempts have used is read from the
view `orchestration_attempt_usage`.
"""

from orchestration.sql.claim import (
    CANDIDATES,
    CLAIM_LOCK,
    PROMISED_TOKENS,
    RUNNING_BY_SCOPE,
    SPENT_TOKENS,
    START_ATTEMPTS,
    TAKE_OVER,
)
from orchestration.sql.finalize import FINALIZE, NOT_FINALIZED
from orchestration.sql.finish import (
    END_ATTEMPTS,
    END_DEPENDENTS,
    END_TASKS,
    MOVE_SUB_TASKS,
    UNBLOCK,
)

__all__ = [
    "CANDIDATES",
    "CLAIM_LOCK",
    "END_ATTEMPTS",
    "END_TASKS",
    "END_DEPENDENTS",
    "FINALIZE",
    "MOVE_SUB_TASKS",
    "NOT_FINALIZED",
    "PROMISED_TOKENS",
    "RUNNING_BY_SCOPE",
    "SPENT_TOKENS",
    "START_ATTEMPTS",
    "TAKE_OVER",
    "UNBLOCK",
]
