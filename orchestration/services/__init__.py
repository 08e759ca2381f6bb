"""Every write of the Agent Orchestrator."""

from orchestration.services.claim import beat, claim, give_up, take_over
from orchestration.services.commands import CommandTerms, set_command
from orchestration.services.concurrency_limits import (
    check_scope,
    remove_concurrency,
    set_concurrency,
)
from orchestration.services.finalize import finalize
from orchestration.services.finish import Ended, back_off, finish_many
from orchestration.services.lend import lend, store_handle
from orchestration.services.submit import Plan, plan, reserve_of, submit
from orchestration.services.task_control import approve, cancel, pause, resume, retry_failed
from orchestration.services.task_request import TaskRequest
from orchestration.services.time_limits import sweep
from orchestration.services.wakeup import wake

__all__ = [
    "CommandTerms",
    "Ended",
    "TaskRequest",
    "Plan",
    "finalize",
    "approve",
    "back_off",
    "beat",
    "cancel",
    "check_scope",
    "claim",
    "finish_many",
    "give_up",
    "lend",
    "pause",
    "plan",
    "remove_concurrency",
    "reserve_of",
    "resume",
    "retry_failed",
    "set_command",
    "set_concurrency",
    "store_handle",
    "submit",
    "sweep",
    "take_over",
    "wake",
]
