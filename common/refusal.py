"""The one kind of failure that is no bug: the system works and says no."""

from typing import Any, ClassVar


class Refusal(Exception):
    """A `no` with a stable `code`, a sentence for people and facts for programs.

    Subclasses set `code`; `butler_site.errors` maps each to an HTTP status. `facts` must be
    JSON-serialisable and never contain a secret.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts
