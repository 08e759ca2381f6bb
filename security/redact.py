"""Remove secrets from texts before they are stored, such as log lines and error texts.

It knows secrets by their shape (tokens of Butler, keys of providers, headers, passwords and tokens
in URLs) and is the last line of defence, not the first: do not log secrets. Open to every app.
"""

import logging
import re
from collections.abc import Iterable

REDACTED = "[redacted]"
_SECRET_CHARACTERS_MIN = 4

# Schemes whose URLs carry their secret in the password only; elsewhere (slack://, tgram://, … of
# Apprise) every part may be one.
_PLAIN_SCHEMES = "https?|wss?|ftps?|file|postgres(?:ql)?|rediss?|amqps?|smtps?|git|ssh|urn|data"
# Later patterns do not match what an earlier one has redacted.
_NOT_DONE = r"(?![^\s\[]{0,150}\[redacted\])"

# (words without which the pattern cannot match, pattern, replacement). The words, in lower case,
# make the usual log line cheap. Every repetition that may fail at its end is bounded: a hostile
# text must not take long.
_PATTERNS = tuple(
    (words.split(), re.compile(pattern), replacement)
    for words, pattern, replacement in (
        # Of Butler: the part that finds the row stays.
        (
            "_",
            r"\b(b[a-z]_[A-Za-z0-9.-]{1,100}_)[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])",
            r"\1" + REDACTED,
        ),
        # Of providers: sk-…, sk-ant-…, nvapi-…, gsk_…, xoxb-…, ghp_…, whsec_…, AIza…, JWT.
        (
            "sk pk rk nvapi xai xox gh github_pat whsec glpat hf r8 pplx",
            r"\b(sk|pk|rk|nvapi|gsk|xai|xox[a-z]|gh[a-z]|github_pat|whsec|glpat|hf|r8|pplx|csk)"
            r"[-_][A-Za-z0-9_\-+/=.]{12,}",
            r"\1-" + REDACTED,
        ),
        ("aiza", r"\bAIza[A-Za-z0-9_-]{30,}", "AIza" + REDACTED),
        (
            "eyj",
            r"\beyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
            "jwt-" + REDACTED,
        ),
        # Headers and named values.
        (
            "bearer basic",
            rf"(?i)\b(bearer|basic)(\s{{1,9}}|%20){_NOT_DONE}[A-Za-z0-9._~+/=-]{{8,}}",
            r"\1\2" + REDACTED,
        ),
        (
            "key passw secret token sig",
            r"(?i)(?<![a-z0-9])((?:api[-_]?key|password|passwd|secret|access[-_]token|"
            r"refresh[-_]token|auth[-_]token|token|signature|sig))"
            r"(['\"]?\s{0,9}=\s{0,9}b?['\"]?|['\"]\s{0,9}[:,]\s{0,9}b?['\"]|(?<=key):\s{0,9})"
            rf"{_NOT_DONE}[^\s'\"&,;<>)}}\]]{{4,}}",
            r"\1\2" + REDACTED,
        ),
        # URLs.
        (
            "://",
            r"(?i)\b([a-z][a-z0-9+.-]{0,20}://[^\s/:@?#'\"]{0,200}:)[^\s/@'\"]{1,500}@",
            r"\1" + REDACTED + "@",
        ),
        (
            "slack.com discord telegram office.com",
            r"(?i)(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|"
            r"api\.telegram\.org/bot|webhook\.office\.com/)[^\s'\"<>]+",
            r"\1" + REDACTED,
        ),
        (
            "://",
            rf"(?i)\b(?!(?:{_PLAIN_SCHEMES})://)([a-z][a-z0-9+-]{{1,20}})://[^\s'\"<>]+",
            r"\1://" + REDACTED,
        ),
    )
)


def redact(text: str, *, secrets: Iterable[str] = ()) -> str:
    """`text` without parts that look like secrets, and without the given `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_CHARACTERS_MIN:
            text = text.replace(secret, REDACTED)
    lowered = text.lower()
    for words, pattern, replacement in _PATTERNS:
        if any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


class RedactSecrets(logging.Filter):
    """A filter for log handlers: removes secrets from message, traceback and stack."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; every record passes."""
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
