"""Every write of the Agent Orchestrator."""

from orchestration.services.accounting import account
from orchestration.services.claiming import beat, claim, give_up, take_over
from orchestration.services.commands import CommandTerms, set_command
from orchestration.services.concurrency import (
    check_scope,
    remove_concurrency,
    set_concurrency,
)
from orchestration.services.finishing import Ended, back_off, finish_many
from orchestration.services.lending import lend, store_handle
from orchestration.services.order import Order
from orchestration.services.steering import approve, cancel, pause, resume, retry_failed
from orchestration.services.submitting import Plan, plan, reserve_of, submit
from orchestration.services.sweeping import sweep
from orchestration.services.waking import wake

__all__ = [
    "CommandTerms",
    "Ended",
    "Order",
    "Plan",
    "account",
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
