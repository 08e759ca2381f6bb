"""Web searches in the items of a response: its usage does not count them.

OpenAI charges for those whose action is `search`, not for pages that are opened or searched in.
"""

from dataclasses import replace
from typing import Any

import msgspec

from gateway.dialects.base import UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.reported_usage import as_object, part

_TYPE = "web_search_call"
_MARK = b'"web_search_call"'


class _Answer(msgspec.Struct):
    output: list[Any] = []


_decode = msgspec.json.Decoder(_Answer).decode


def with_searches(report: UsageReport, searches: int) -> UsageReport:
    """The report with so many searches, if it does not say more itself."""
    if searches <= report.usage.web_searches:
        return report
    return replace(report, usage=replace(report.usage, web_searches=searches))


def searches_in(body: bytes) -> int:
    """How many searches a whole response lists."""
    if _MARK not in body:
        return 0
    try:
        return sum(map(is_search, _decode(body).output))
    except DECODE_ERRORS:
        return 0


def is_search(item: Any) -> bool:
    """Whether an item of the output is a search that was made."""
    values = as_object(item)
    return (
        values.get("type") == _TYPE
        and values.get("status", "completed") == "completed"
        and part(values, "action", "type") in ("search", None)
    )
