"""Take secrets out of texts before they rest anywhere: log lines, stored error texts.

It knows secrets by their shape (tokens of Butler, keys of providers, headers, passwords and tokens
in URLs) and is the last line of defence, not the first: do not log secrets. Open to every app.
"""

import logging
import re
from collections.abc import Iterable

REDACTED = "[redacted]"
_SECRET_CHARACTERS_MIN = 4

# Every repetition that may fail at its end is bounded: a hostile text must not take long.
# Schemes whose URLs carry their secret in the password only; elsewhere (slack://, tgram://, … of
# Apprise) every part may be one.
_PLAIN_SCHEMES = "https?|wss?|ftps?|file|postgres(?:ql)?|rediss?|amqps?|smtps?|git|ssh|urn|data"

_PATTERNS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Of Butler: the part that finds the row stays.
        (r"\b(b[a-z]_[A-Za-z0-9.-]{1,100}_)[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", r"\1" + REDACTED),
        # Of providers: sk-…, sk-ant-…, nvapi-…, gsk_…, xoxb-…, ghp_…, whsec_…, AIza….
        (
            r"\b(sk|pk|rk|nvapi|gsk|xai|xox[a-z]|gh[a-z]|github_pat|whsec|glpat|hf|r8|pplx|csk)"
            r"[-_][A-Za-z0-9_\-+/=.]{12,}",
            r"\1-" + REDACTED,
        ),
        (r"\bAIza[A-Za-z0-9_-]{30,}", "AIza" + REDACTED),
        (r"\beyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", "jwt-" + REDACTED),
        # Headers and named values.
        (r"(?i)\b(bearer|basic)(\s+|%20)(?!\[)[A-Za-z0-9._~+/=-]{8,}", r"\1\2" + REDACTED),
        (
            r"(?i)(?<![a-z0-9])((?:api[-_]?key|password|passwd|secret|access[-_]token|"
            r"refresh[-_]token|auth[-_]token|token|signature|sig))"
            r"(['\"]?\s*=\s*b?['\"]?|['\"]\s*[:,]\s*b?['\"]|(?<=key):\s*)(?!\[)[^\s'\"&,;<>)}\]]{4,}",
            r"\1\2" + REDACTED,
        ),
        # URLs.
        (
            r"(?i)\b([a-z][a-z0-9+.-]{0,20}://[^\s/:@?#'\"]{0,200}:)[^\s/@'\"]{1,500}@",
            r"\1" + REDACTED + "@",
        ),
        (
            r"(?i)(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|"
            r"api\.telegram\.org/bot|webhook\.office\.com/)[^\s'\"<>]+",
            r"\1" + REDACTED,
        ),
        (
            rf"(?i)\b(?!(?:{_PLAIN_SCHEMES})://)([a-z][a-z0-9+-]{{1,20}})://[^\s'\"<>]+",
            r"\1://" + REDACTED,
        ),
    )
)


def redact(text: str, *, secrets: Iterable[str] = ()) -> str:
    """`text` without what looks like a secret, and without the `secrets` the caller knows of."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_CHARACTERS_MIN:
            text = text.replace(secret, REDACTED)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactSecrets(logging.Filter):
    """A filter for log handlers: takes secrets out of message, traceback and stack."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; let every one through."""
        record.msg, record.args = redact(self._message(record)), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True

    def _message(self, record: logging.LogRecord) -> str:
        try:
            return record.getMessage()
        except (TypeError, ValueError):  # logging would print message and arguments as they are
            where = f"{record.pathname}:{record.lineno}"
            return f"[a log message of {where} that does not fit its arguments]"
