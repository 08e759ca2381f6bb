"""Requests to OpenClaw (2026.9.6), and what its answers mean for an attempt."""

from collections.abc import Iterable
from typing import Any

from orchestration.failure_kinds import kind_of_code
from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.openclaw.slots import TakenSlot
from orchestration.runners.scrubbed_text import sentence
from orchestration.storable_text import storable

# Statuses of OpenClaw's tasks.
_OVER = ("completed", "failed", "cancelled", "timed_out")
_KINDS = {"timed_out": "timeout", "cancelled": "cancelled"}
# OpenClaw does not use a refused slot for a minute or more; another one may be free sooner.
_SHUT_OUT_SECONDS = 5
# OpenClaw's name of a token count, and Butler's.
_USAGE = {
    "input": "input",
    "output": "output",
    "cacheRead": "cached",
    "cacheWrite": "cache_write",
}


def parent_of(session_id: str) -> str:
    """The parent session of an attempt's child; OpenClaw's session keys are lower case."""
    return f"agent:main:orch:{session_id.lower()}"


def spawn_arguments(work: Work, slot: str) -> dict[str, Any]:
    """The arguments of `sessions_spawn`."""
    return {
        "task": work.prompt,
        "label": work.label,
        "model": f"{slot}/{work.model}",
        "thinking": work.thinking,
        "runTimeoutSeconds": max(1, int(work.seconds)),
        "mode": "run",
        "cleanup": "keep",
        "context": "isolated",
        "expectsCompletionMessage": False,
    }


def check_spawn_answer(answer: dict[str, Any], *, secret: str) -> None:
    """Check the answer to a spawn. Raises Failed if no child was started."""
    if not answer.get("ok"):
        says = f"OpenClaw does not allow `sessions_spawn`: {_message(answer.get('error'))}"
        raise Failed("misconfigured", sentence(says, secret=secret))
    details = answer["output"]["details"]
    if details.get("status") == "accepted" and details.get("modelApplied"):
        return
    says = _message(details.get("error")) or f"{details.get('status')}, with another model"
    # Its provider or model is not in the configuration.
    unknown = details.get("status") == "accepted" or "not usable" in says
    kind = "misconfigured" if unknown else "failed"
    raise Failed(kind, sentence(f"OpenClaw did not start a child: {says}", secret=secret))


def is_over(task: dict[str, Any]) -> bool:
    """Whether the task has ended."""
    return task.get("status") in _OVER


def failure_of(task: dict[str, Any], taken: TakenSlot | None, *, secret: str) -> Failed | None:
    """Why an ended task did not succeed; None if it did.

    OpenClaw hides the errors of providers, so the last refusal of the gateway is read from the
    child's slot.
    """
    status = task.get("status")
    if status == "completed":
        return None
    says = _message(task.get("error")) or f"OpenClaw reports {status} without a reason."
    if taken and taken.refusal_code:
        says = f"{taken.refusal} (OpenClaw: {says})"
    kind = _kind(str(status), says, taken)
    retry_after = _SHUT_OUT_SECONDS if kind == "no_capacity" else None
    return Failed(kind, sentence(says, secret=secret), retry_after=retry_after)


def _kind(status: str, says: str, taken: TakenSlot | None) -> str:
    if status in _KINDS:
        return _KINDS[status]
    if "interrupted" in says and "restart" in says:
        return "lost"
    if "temporarily disabled" in says:
        # OpenClaw took an error of the provider for a problem with the slot's credential. The
        # next attempt gets the slot that has been free for longest.
        return "no_capacity"
    code = taken.refusal_code if taken else ""
    return kind_of_code(code) or ("refused" if code else "failed")


def result_of(messages: Iterable[dict[str, Any]], facts: dict[str, Any]) -> Result:
    """The last message of the sub-agent, and OpenClaw's token counts as facts. Raises Failed."""
    answers = [message for message in messages if message.get("role") == "assistant"]
    text = next(filter(None, (_text(message) for message in reversed(answers))), "")
    if not text:
        raise Failed("unusable_answer", "The sub-agent ended without an answer.")
    usage = {
        ours: sum(int((message.get("usage") or {}).get(theirs) or 0) for message in answers)
        for theirs, ours in _USAGE.items()
    }
    return Result(storable(text), {**facts, "calls": len(answers), "usage": usage})


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content.strip()
    parts = (part for part in content or () if part.get("type") == "text")
    return "".join(str(part.get("text", "")) for part in parts).strip()


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error or "")
