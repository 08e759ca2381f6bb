"""What a client is told when the budget of its session cannot pay for a call.

Many clients decide by the words of an error whether to ask again: they look for `429`, `500`, `503`
and the like anywhere in its message, some in its whole body. So no number in the body looks like an
HTTP status of an error, and the links have none either. The exact numbers are in the headers.
"""

import re

from django.conf import settings

from common import links
from common.public_urls import absolute
from common.refusal import JSON
from keys.refusals import NoBudget

# An amount with its separators; in each group of it a client may see a status.
_AMOUNT = re.compile(r"(?<![\w.,:-])\d{1,3}(?:,\d{3})+(?![\w:-])|(?<![\w.,:-])\d+(?![\w:-])")
_LIKE_STATUS = re.compile(r"[45]\d\d")
_UNITS = ((100_000, 1_000, "thousand"), (100_000_000, 1_000_000, "million"))


def budget_message(budget: NoBudget) -> str:
    """What is lacking, the numbers of the allocation, what to do, and where a person sees it and
    asks for more."""
    words = _without_statuses(f"{budget.detail} {_numbers(budget)}")
    return f"{words} People ask for more at {_ask_page(budget)} Its page: {_page_url(budget)}"


def body_facts(budget: NoBudget) -> dict[str, JSON]:
    """What the body has for programs: the allocation's page, its address in the REST API, and where
    to ask for more where a limit has no room for another one. An allocation does not reset."""
    api = f"{settings.PUBLIC_URL}/api/v1"
    return {
        "resets_at": None,
        "link": _page_url(budget),
        "api_url": _quoted(f"{api}/allocations/{budget.session_id}"),
        "budget_requests": f"{api}/budget-requests",
        "ask_page": _ask_page(budget),
    }


def _ask_page(budget: NoBudget) -> str:
    """Where a person asks for more, for the agent of the session, with what the call needed."""
    needed = getattr(budget, "needed", None)
    session = {"session": budget.session_id} | ({"needed": needed} if needed else {})
    return _quoted(absolute(links.url("ask_budget", **session)))


def _page_url(budget: NoBudget) -> str:
    return _quoted(absolute(links.url("session", budget.session_id)))


def _numbers(budget: NoBudget) -> str:
    return (
        f"The allocation has {budget.allocated:,} tokens until {budget.ends_at:%Y-%m-%d %H:%M} UTC,"
        f" {budget.used:,} used, {budget.held:,} held for calls in flight. An allocation is not"
        " refilled: request another one."
    )


def _without_statuses(text: str) -> str:
    return _AMOUNT.sub(lambda found: _amount(found[0]), text)


def _amount(written: str) -> str:
    """The amount as it is, or rounded where a part of it looks like a status."""
    if not _LIKE_STATUS.search(written):
        return written
    amount = int(written.replace(",", ""))
    for below, unit, name in _UNITS:
        if amount < below:
            return f"about {amount / unit:.1f} {name}"
    return f"about {amount / 10**9:.1f} billion"


def _quoted(link: str) -> str:
    """The same link, with a digit of what looks like a status percent-encoded."""
    path = link.removeprefix(settings.PUBLIC_URL)
    while found := _LIKE_STATUS.search(path):
        digit = path[found.start() + 1]
        path = f"{path[: found.start() + 1]}%{ord(digit):02x}{path[found.start() + 2 :]}"
    return f"{settings.PUBLIC_URL}{path}"
