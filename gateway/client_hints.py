"""What the users of one client must change when a request of it is refused: `client_hints.toml`."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from common.refusal import Refusal
from gateway.refusals import CannotBeBounded

_FILE = Path(__file__).with_suffix(".toml")


class _Hint(NamedTuple):
    user_agent: re.Pattern[str]
    tool: str
    sentence: str


def client_hint(refusal: Refusal, *, user_agent: str) -> str:
    """A sentence for the users of the client that sent the request; "" if there is none."""
    if not isinstance(refusal, CannotBeBounded) or not refusal.tool:
        return ""
    tool = refusal.tool
    fitting = (hint for hint in _hints() if tool.startswith(hint.tool))
    return next((hint.sentence for hint in fitting if hint.user_agent.search(user_agent)), "")


@cache
def _hints() -> list[_Hint]:
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["hints"]
    return [
        _Hint(re.compile(row["user_agent"], re.IGNORECASE), row["tool"], row["hint"])
        for row in rows
    ]
