"""What is asked of OpenClaw, and what its answers mean (2026.9.6)."""

from collections.abc import Iterable
from typing import Any

from orchestration.failure_kinds import kind_of_code
from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.openclaw.slots import Seat
from orchestration.runners.scrubbed_text import sentence
from orchestration.storable_text import storable

# Of OpenClaw's tasks.
_OVER = ("completed", "failed", "cancelled", "timed_out")
_KINDS = {"timed_out": "timeout", "cancelled": "cancelled"}
# A slot is shut out for a minute or more; another one may be free.
_SHUT_OUT_SECONDS = 5
# Its own name of a number, and Butler's.
_USAGE = {
    "input": "input",
    "output": "output",
    "cacheRead": "cached",
    "cacheWrite": "cache_write",
}


def parent_of(session_id: str) -> str:
    """The session in whose name the child of an attempt is made; its keys are lower case."""
    return f"agent:main:orch:{session_id.lower()}"


def asked(work: Work, slot: str) -> dict[str, Any]:
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


def check_begun(answer: dict[str, Any], *, secret: str) -> None:
    """Whether a spawn began a child. Raises Failed: one that was refused is answered as well."""
    if not answer.get("ok"):
        says = f"OpenClaw does not let sessions be spawned: {_message(answer.get('error'))}"
        raise Failed("misconfigured", sentence(says, secret=secret))
    details = answer["output"]["details"]
    if details.get("status") == "accepted" and details.get("modelApplied"):
        return
    says = _message(details.get("error")) or f"{details.get('status')}, with another model"
    # Its provider or model is not in the configuration.
    unknown = details.get("status") == "accepted" or "not usable" in says
    kind = "misconfigured" if unknown else "failed"
    raise Failed(kind, sentence(f"OpenClaw began no child: {says}", secret=secret))


def is_over(task: dict[str, Any]) -> bool:
    """Whether the task can change no more."""
    return task.get("status") in _OVER


def failure_of(task: dict[str, Any], seat: Seat | None, *, secret: str) -> Failed | None:
    """Why a task that is over did not succeed; None if it did.

    OpenClaw hides what a provider refused with; the slot of the child knows what Butler did.
    """
    status = task.get("status")
    if status == "completed":
        return None
    says = _message(task.get("error")) or f"OpenClaw says {status} and no word of why."
    if seat and seat.refusal_code:
        says = f"{seat.refusal} (OpenClaw: {says})"
    kind = _kind(str(status), says, seat)
    retry_after = _SHUT_OUT_SECONDS if kind == "no_capacity" else None
    return Failed(kind, sentence(says, secret=secret), retry_after=retry_after)


def _kind(status: str, says: str, seat: Seat | None) -> str:
    if status in _KINDS:
        return _KINDS[status]
    if "interrupted" in says and "restart" in says:
        return "lost"
    if "temporarily disabled" in says:
        # A provider's words were taken for a matter of the slot's credential. Those that were
        # free for longer are taken before it.
        return "no_capacity"
    code = seat.refusal_code if seat else ""
    return kind_of_code(code) or ("refused" if code else "failed")


def result_of(messages: Iterable[dict[str, Any]], facts: dict[str, Any]) -> Result:
    """The last thing said, whole; OpenClaw's own count of tokens beside. Raises Failed."""
    answers = [message for message in messages if message.get("role") == "assistant"]
    text = next(filter(None, (_text(message) for message in reversed(answers))), "")
    if not text:
        raise Failed("unusable_answer", "The sub-agent ended without a word.")
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
