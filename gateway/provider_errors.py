"""What a provider's error means: whether it is about the request, the route, the key or the moment.

Pure: status, headers and body in, a `ProviderError` out. What differs from provider to provider is
data (`provider_errors.toml`). Statuses alone do not decide: firewalls, moderation, missing scopes
and unknown models answer 401 and 403 too, and they say nothing about the key.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from gateway.error_bodies import ErrorText, read_body, read_object
from gateway.retry_times import wait_seconds

_FILE = Path(__file__).with_suffix(".toml")
_MESSAGE_CHARACTERS_MAX = 300


class About(StrEnum):
    """Whom or what an error concerns.

    `request`: this request alone. `route`: the route or the model, on this key. `key`: the provider
    names the key as invalid, disabled or expired. `credit`: the account has no money. `moment`: a
    rate limit or an overload. `unsure`: access was denied without a word about why.
    """

    REQUEST = "request"
    ROUTE = "route"
    KEY = "key"
    CREDIT = "credit"
    MOMENT = "moment"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """What a provider's error means.

    `status`: the HTTP status; for an error in a 200 the status it stands for. `kind`: what the rule
    that decided calls it. `message`: the provider's sentence, shortened. `wait_seconds`: how long
    the provider asks to wait. `affordable_output_tokens`: the most output tokens that the provider
    would let this request have. `context_tokens`: the size of the model's context.
    `input_tokens`: the tokens of this request's input, as the provider counted them.
    `unknown_field`: a field of the request that the provider does not know. None: not said.
    """

    about: About
    kind: str
    status: int
    message: str
    wait_seconds: float | None = None
    affordable_output_tokens: int | None = None
    context_tokens: int | None = None
    input_tokens: int | None = None
    unknown_field: str | None = None

    @property
    def is_about_key(self) -> bool:
        """Whether another API key may answer the same request: it may be the key's fault."""
        if self.about is About.MOMENT:
            # An overload is the provider's: another key would meet it too.
            return self.kind == "rate_limited" or self.status == 429 and self.kind != "overloaded"
        return self.about in (About.KEY, About.CREDIT, About.UNSURE)


@dataclass(frozen=True, slots=True)
class _Rule:
    about: About
    kind: str
    statuses: frozenset[int]
    codes: frozenset[str]
    words: tuple[re.Pattern[str], ...]

    def fits(self, status: int, text: ErrorText) -> bool:
        if self.statuses and status not in self.statuses:
            return False
        return bool(self.codes & text.codes) or _first_group(self.words, text.sentences) is not None


@dataclass(frozen=True, slots=True)
class _Rules:
    rules: tuple[_Rule, ...]
    defaults: dict[int, tuple[About, str]]
    statuses: dict[str, int]
    status_words: dict[int, tuple[re.Pattern[str], ...]]
    affordable: tuple[re.Pattern[str], ...]
    context: tuple[re.Pattern[str], ...]
    input: tuple[re.Pattern[str], ...]
    over_limit: tuple[re.Pattern[str], ...]
    unknown_fields: tuple[re.Pattern[str], ...]


def read_answer(
    *, status: int, headers: Mapping[str, str], body: bytes, now: datetime
) -> ProviderError:
    """What an answer with a status other than 2xx means. `now`: when the answer came."""
    named = {name.lower(): value for name, value in headers.items()}
    text = read_body(body, content_type=named.get("content-type", ""))
    return _judge(status, named, text, now)


def read_error(
    error: object, *, headers: Mapping[str, str] | None = None, now: datetime
) -> ProviderError:
    """What an error inside an answer of status 200 means.

    `error`: the parsed body or event, or its member `error`.
    """
    named = {name.lower(): value for name, value in (headers or {}).items()}
    text = read_object(error)
    return _judge(_status_of(text), named, text, now)


def _judge(status: int, headers: dict[str, str], text: ErrorText, now: datetime) -> ProviderError:
    about, kind = _decide(status, headers, text)
    rules = _rules()
    return ProviderError(
        about=about,
        kind=kind,
        status=status,
        message=_shorten(text.message),
        wait_seconds=wait_seconds({**text.headers, **headers}, text, now=now),
        affordable_output_tokens=_number(rules.affordable, text) or None,
        context_tokens=_number(rules.context, text),
        input_tokens=_number(rules.input, text),
        unknown_field=_unknown_field(status, text),
    )


def _decide(status: int, headers: dict[str, str], text: ErrorText) -> tuple[About, str]:
    if text.is_web_page and status in (403, 405, 406):
        # Firewalls in front of a provider answer so, and they look at the request.
        return About.REQUEST, "web_page"
    if status in (413, 429) and _is_over_limit(text):
        return About.REQUEST, "too_large"
    for rule in _rules().rules:
        if rule.fits(status, text):
            return rule.about, rule.kind
    if status == 429 and headers.get("x-should-retry", "").lower() == "false":
        return About.REQUEST, "not_to_be_retried"
    return _rules().defaults.get(status) or _by_hundreds(status)


def _is_over_limit(text: ErrorText) -> bool:
    """Whether more was requested than the limit is, so that waiting does not help."""
    for pattern in _rules().over_limit:
        if match := pattern.search(text.message):
            limit, requested = (int(number.replace(",", "")[:15]) for number in match.groups())
            return requested > limit
    return False


def _by_hundreds(status: int) -> tuple[About, str]:
    return (About.MOMENT, "server_error") if status >= 500 else (About.REQUEST, "invalid_request")


def _status_of(text: ErrorText) -> int:
    """The status that an error in a 200 stands for; 500 when nothing in it says."""
    for code in text.codes_in_order:
        if code.isascii() and code.isdigit() and 400 <= int(code[:4]) <= 599:
            return int(code)
    rules = _rules()
    for code in text.codes_in_order:
        if code in rules.statuses:
            return rules.statuses[code]
    for status, words in rules.status_words.items():
        if _first_group(words, text.sentences) is not None:
            return status
    return 500


def _number(patterns: tuple[re.Pattern[str], ...], text: ErrorText) -> int | None:
    found = _first_group(patterns, text.sentences)
    digits = (found or "").replace(",", "")
    return int(digits[:12]) if digits.isascii() and digits.isdigit() else None


def _unknown_field(status: int, text: ErrorText) -> str | None:
    if status not in (400, 422):
        return None
    return text.extra_field or _first_group(_rules().unknown_fields, text.sentences)


def _first_group(patterns: tuple[re.Pattern[str], ...], sentences: list[str]) -> str | None:
    """The first group (or all) of the first pattern that is found; None when none is."""
    for sentence in sentences:
        for pattern in patterns:
            if match := pattern.search(sentence):
                return match[1] if pattern.groups else match[0]
    return None


def _shorten(message: str) -> str:
    plain = " ".join(message.split())
    if len(plain) <= _MESSAGE_CHARACTERS_MAX:
        return plain
    return f"{plain[: _MESSAGE_CHARACTERS_MAX - 1]}…"


@cache
def _rules() -> _Rules:
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return _Rules(
        rules=tuple(_rule(row) for row in data["rules"]),
        defaults={
            status: (About(row["about"]), row["kind"])
            for row in data["defaults"]
            for status in row["statuses"]
        },
        statuses=data["statuses"],
        status_words={
            int(status): _compile(words) for status, words in data["status_words"].items()
        },
        affordable=_compile(data["numbers"]["affordable_output_tokens"]),
        context=_compile(data["numbers"]["context_tokens"]),
        input=_compile(data["numbers"]["input_tokens"]),
        over_limit=_compile(data["numbers"]["requested_over_limit"]),
        unknown_fields=_compile(data["unknown_fields"]["words"]),
    )


def _rule(row: dict[str, Any]) -> _Rule:
    return _Rule(
        About(row["about"]),
        row["kind"],
        frozenset(row.get("statuses", ())),
        frozenset(row.get("codes", ())),
        _compile(row.get("words", ())),
    )


def _compile(patterns: list[str] | tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in patterns)
