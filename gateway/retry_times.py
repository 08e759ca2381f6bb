"""How long a provider asks to wait, in every spelling that providers use."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gateway.error_bodies import ErrorText

_SECONDS_OF = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_AMOUNT = r"\d{1,12}(?:\.\d{1,12})?"
_UNIT = "milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d"
_PARTS = re.compile(rf"({_AMOUNT})\s?({_UNIT})", re.IGNORECASE)
# *1m2.5s*, *1 minute and 3 seconds*.
_DURATION = rf"(?:{_AMOUNT}\s?(?:{_UNIT})(?:,? and |, | )?)+(?![a-z])"
_ONLY_DURATION = re.compile(_DURATION, re.IGNORECASE)
_IN_WORDS = re.compile(
    r"(?:try again|retry|wait|resets?|available)(?: again)?(?: in| after| for)?:? "
    rf"({_DURATION})",
    re.IGNORECASE,
)
# *It will reset at 2026-11-28 21:00:00 +0800*; without its zone a moment is not known.
_MOMENT_IN_WORDS = re.compile(
    r"(?:try again|retry|resets?|available)(?: at| on| after)? (\d{4}-\d\d-\d\d)(?:T| at | )"
    r"(\d\d:\d\d(?::\d\d)?) ?(Z|UTC|[+-]\d\d:?\d\d)",
    re.IGNORECASE,
)
# In the header of all limits: `limit=100, remaining=0, reset=50`, `"default";r=0;t=50`.
_RATE_LIMIT_RESET = re.compile(r"\b(?:reset|t)=(\d{1,9})\b")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,12})?")
# Larger numbers are moments: seconds, or thousandths of them, since 1970.
_SECONDS_MAX, _EPOCH_SECONDS_MAX = 10**8, 10**11
_RESETS = (
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-reset-requests-day",
    "x-ratelimit-reset-tokens-minute",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "ratelimit-reset",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
    "anthropic-ratelimit-unified-reset",
)


def wait_seconds(headers: Mapping[str, str], text: ErrorText, *, now: datetime) -> float | None:
    """The seconds to wait from `now`; None when the provider does not say. Headers in lower case.

    `Retry-After` and its kin first, then the body, then the moments at which limits reset.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    said = (
        milliseconds and milliseconds / 1000,
        _seconds(headers.get("retry-after", ""), now),
        _duration(text.retry_delay),
        *(_in_words(sentence, now) for sentence in text.sentences),
        _reset(headers, now),
    )
    return next((seconds for seconds in said if seconds and seconds > 0), None)


def _reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """When the limit that is used up resets; the first of all when none is said to be used up."""
    known = {
        name: seconds
        for name in _RESETS
        if (seconds := _seconds(headers.get(name, ""), now)) and seconds > 0
    }
    used_up = [
        seconds
        for name, seconds in known.items()
        if _number(headers.get(name.replace("reset", "remaining"), "0")) == 0
    ]
    if used_up:
        return max(used_up)
    if match := _RATE_LIMIT_RESET.search(headers.get("ratelimit", "")):
        return float(match[1])
    return min(known.values(), default=None)


def _seconds(value: str, now: datetime) -> float | None:
    """Seconds, a duration like `1m30s`, or a moment: since 1970, in ISO format or as in HTTP."""
    value = value.strip()
    number = _number(value)
    if number is None:
        return _duration(value) or _until(value, now)
    if number < _SECONDS_MAX:
        return number
    moment = number if number < _EPOCH_SECONDS_MAX else number / 1000
    return moment - now.timestamp()


def _number(value: str) -> float | None:
    value = value.strip()
    return float(value) if value.isascii() and _NUMBER.fullmatch(value) else None


def _duration(value: str) -> float | None:
    """`6ms`, `2s`, `1m30s`, `1h2m3.5s`."""
    if not (value and value.isascii() and _ONLY_DURATION.fullmatch(value.strip())):
        return None
    return _sum(value)


def _in_words(sentence: str, now: datetime) -> float | None:
    """*Please try again in 1m2.5s*, *retry after 6 seconds*, *resets at 2026-11-28T12:30:00Z*."""
    if match := _IN_WORDS.search(sentence):
        return _sum(match[1])
    match = _MOMENT_IN_WORDS.search(sentence)
    return _until(f"{match[1]}T{match[2]}{match[3].replace('UTC', 'Z')}", now) if match else None


def _sum(duration: str) -> float:
    return sum(float(amount) * _unit_seconds(unit) for amount, unit in _PARTS.findall(duration))


def _unit_seconds(unit: str) -> float:
    unit = unit.lower()
    return 0.001 if unit.startswith(("ms", "mil")) else _SECONDS_OF[unit[0]]


def _until(value: str, now: datetime) -> float | None:
    moment = _iso(value) or _http_date(value)
    if moment is None:
        return None
    seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return seconds if math.isfinite(seconds) else None


def _iso(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _http_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
