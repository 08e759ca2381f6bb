"""Every write of the Agent Orchestrator."""

from orchestration.services.approve import approve, approve_as_deputy, refuse
from orchestration.services.claim import claim, release_leases, renew_leases, take_over
from orchestration.services.clocks import tell_of_skew
from orchestration.services.commands import CommandTerms, set_command
from orchestration.services.concurrency_limits import (
    CONCURRENCY_MAX,
    check_scope,
    remove_concurrency,
    set_concurrency,
)
from orchestration.services.evaluate_experiments import evaluate_experiments
from orchestration.services.experiments import (
    adopt_experiment,
    start_experiment,
    stop_experiment,
)
from orchestration.services.finalize import finalize
from orchestration.services.finish import AttemptOutcome, back_off, finish_many
from orchestration.services.lend import lend, store_handle
from orchestration.services.raise_budget import raise_budget
from orchestration.services.retry import retry_failed
from orchestration.services.set_priority import set_priority
from orchestration.services.steer_part import change_sub_task, skip
from orchestration.services.submit import Plan, plan, reserve_of, submit
from orchestration.services.task_control import cancel, pause, resume
from orchestration.services.task_request import TaskRequest
from orchestration.services.texts import delete_old_texts, look_at_texts
from orchestration.services.time_limits import sweep
from orchestration.services.wakeup import wake
from orchestration.services.watch_forecasts import watch_forecasts

__all__ = [
    "CONCURRENCY_MAX",
    "AttemptOutcome",
    "CommandTerms",
    "Plan",
    "TaskRequest",
    "adopt_experiment",
    "approve",
    "approve_as_deputy",
    "back_off",
    "cancel",
    "change_sub_task",
    "check_scope",
    "claim",
    "delete_old_texts",
    "evaluate_experiments",
    "finalize",
    "finish_many",
    "lend",
    "look_at_texts",
    "pause",
    "plan",
    "raise_budget",
    "refuse",
    "release_leases",
    "remove_concurrency",
    "renew_leases",
    "reserve_of",
    "resume",
    "retry_failed",
    "set_command",
    "set_concurrency",
    "set_priority",
    "skip",
    "start_experiment",
    "stop_experiment",
    "store_handle",
    "submit",
    "sweep",
    "take_over",
    "tell_of_skew",
    "wake",
    "watch_forecasts",
]
