"""What goes wrong with the next payments: in the order asked for, or by chance."""

from random import Random
from typing import Any

KINDS = frozenset(
    {
        "lost_request",  # the connection ends before anything is done
        "lost_answer",  # the payment is made, and the connection ends without an answer
        "server_error",  # the payment is made, and the answer is a 500
        "busy",  # 429, and nothing is done
        "in_use",  # the payment is made, and the answer is a 409: the key is in use
        "decline",
        "action",  # 3-D Secure: a person must confirm the payment
        "delay",  # settles after `seconds`
        "late_credit",  # settles at once, and is credit after `seconds`
        "reversal",  # comes back after `seconds`
    }
)


class Faults:
    """The faults to come. Each payment that is asked for takes one, if there is one."""

    def __init__(self) -> None:
        self._planned: list[dict[str, Any]] = []
        self._shares: dict[str, float] = {}
        self._seconds: float = 60
        # Not for secrets: the same seed is the same sequence of faults.
        self._random = Random(0)  # noqa: S311  # nosec B311

    def plan(self, fault: dict[str, Any]) -> None:
        """Plan `{"kind", "times", "seconds"}`, or chances `{"shares": {kind: share}, "seed"}`.

        Raises ValueError for an unknown kind.
        """
        kinds = set(fault.get("shares", {})) or {fault.get("kind")}
        if unknown := kinds - KINDS:
            raise ValueError(f"Unknown faults: {sorted(map(str, unknown))}")
        if "shares" in fault:
            self._shares, self._seconds = fault["shares"], fault.get("seconds", 60)
            self._random.seed(fault.get("seed", 0))
            return
        self._planned += [fault] * fault.get("times", 1)

    def clear(self) -> None:
        """Forget all that was planned."""
        self._planned, self._shares = [], {}

    def take(self) -> tuple[str, float]:
        """The kind of the next fault, empty if there is none, and its seconds."""
        if self._planned:
            fault = self._planned.pop(0)
            return fault["kind"], fault.get("seconds", 60)
        chance = self._random.random()
        for kind, share in self._shares.items():
            chance -= share
            if chance < 0:
                return kind, self._seconds
        return "", 0
