"""Planned faults: what the next calls of a key shall run into, whatever they ask for."""

from typing import Any

from gateway.sandbox.directive import NotUnderstood, directive

ANY_KEY = "*"


class Faults:
    """Directives by key, each for so many calls; the oldest first."""

    def __init__(self) -> None:
        self._planned: list[dict[str, Any]] = []

    def plan(self, fault: Any) -> None:
        """`{"key": …, "times": …}` and the names of a directive; -1 times is for ever.

        Errors: NotUnderstood.
        """
        if not isinstance(fault, dict):
            raise NotUnderstood("A fault is a JSON object.")
        said = {name: value for name, value in fault.items() if name not in ("key", "times")}
        directive(said)
        times = fault.get("times", 1)
        if type(times) is not int or times == 0:
            raise NotUnderstood("times: a number of calls, or -1 for ever.")
        self._planned.append({"key": fault.get("key", ANY_KEY), "times": times, "said": said})

    def met_by(self, key: str) -> dict[str, Any]:
        """What the next call of this key runs into; takes one off its times."""
        for fault in self._planned:
            if fault["key"] in (key, ANY_KEY):
                fault["times"] -= 1
                if not fault["times"]:
                    self._planned.remove(fault)
                return fault["said"]
        return {}

    def left(self) -> list[dict[str, Any]]:
        """What is still planned, as it was asked for."""
        return [
            {"key": fault["key"], "times": fault["times"], **fault["said"]}
            for fault in self._planned
        ]

    def clear(self) -> None:
        """Plan nothing any more."""
        self._planned.clear()
