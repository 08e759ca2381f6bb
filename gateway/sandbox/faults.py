"""Planned faults: directives that replace those of the next calls of a key."""

from typing import Any, TypedDict

from gateway.sandbox.directive import InvalidDirective, directive

ANY_KEY = "*"


class _Plan(TypedDict):
    key: str
    times: int
    fields: dict[str, Any]


class Faults:
    """Directives by key, each for a number of calls; the oldest is used first."""

    def __init__(self) -> None:
        self._planned: list[_Plan] = []

    def plan(self, fault: Any) -> None:
        """Plan `{"key": …, "times": …}` with the fields of a directive; -1 times means every call.

        Errors: InvalidDirective.
        """
        if not isinstance(fault, dict):
            raise InvalidDirective("A fault must be a JSON object.")
        fields = {name: value for name, value in fault.items() if name not in ("key", "times")}
        directive(fields)
        times = fault.get("times", 1)
        if type(times) is not int or times == 0:
            raise InvalidDirective("times must be a number of calls, or -1 for every call.")
        self._planned.append({"key": fault.get("key", ANY_KEY), "times": times, "fields": fields})

    def take(self, key: str) -> dict[str, Any]:
        """The fault of the next call of this key; it counts as used once."""
        for fault in self._planned:
            if fault["key"] in (key, ANY_KEY):
                fault["times"] -= 1
                if not fault["times"]:
                    self._planned.remove(fault)
                return fault["fields"]
        return {}

    def remaining(self) -> list[dict[str, Any]]:
        """What is still planned, in the form of `plan`."""
        return [
            {"key": fault["key"], "times": fault["times"], **fault["fields"]}
            for fault in self._planned
        ]

    def clear(self) -> None:
        """Remove all planned faults."""
        self._planned.clear()
