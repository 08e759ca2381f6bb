"""The scan of a text: first what could be a secret, then the rule that knows.

One pass finds long tokens. The two characters that a token begins with, and the 64 characters
before it, decide which rules look closer; other secrets are found by a marker in them
(`-----BEGIN`, `://`) or by the name that they are assigned to. So an expression runs only where it
can match, and the scan is linear in the text.
"""

from __future__ import annotations

import re

from security.scanner import assignments, checks, texts
from security.scanner.allow import allowances
from security.scanner.finding import Finding
from security.scanner.rules import (
    BY_MARKER,
    BY_PREFIX,
    BY_WORD,
    GENERIC,
    PREFIX_INDEX_CHARACTERS,
    Rule,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# A run of 16 or more; shorter runs are stepped over inside of the expression.
# It always matches, in the end without a token: a failure would be tried again at each character.
_TOKEN = re.compile(r"(?:[\w-]{0,15}+[^\w-]++)*+(?:(?P<token>[\w-]{16,}+)|[\w-]*+\Z)", re.ASCII)
_CONTEXT_CHARACTERS = 64
_WORD_TOKEN_MIN, _WORD_TOKEN_MAX = 32, 84
_ENCODED_MIN = 24
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,4000}={0,2}")
_DIGEST = re.compile(r"sha-?\d|md5|hash|digest|etag|integrity|commit|revision|checksum|fingerprint")
_SECRET_NEAR = re.compile(r"key|token|secret|auth|bearer|api|passw|credential")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}")
_ESCAPED_LINE_MAX = 4_096


class Hit:
    """A finding by its place in the text, before lines are counted."""

    __slots__ = ("end", "finding", "start")

    def __init__(self, start: int, end: int, finding: Finding) -> None:
        self.start = start
        self.end = end
        self.finding = finding


# What can be looked for: each is a way in which a secret is found.
PREFIX, MARKER, WORD, NAME, BASE64, ESCAPE = "prefix", "marker", "word", "name", "base64", "escape"
ALL_SEARCHES = frozenset((PREFIX, MARKER, WORD, NAME, BASE64, ESCAPE))
_TOKEN_SEARCHES = frozenset((PREFIX, WORD, BASE64))


def scan_text(text: str, path: str, searches: frozenset[str] = ALL_SEARCHES) -> list[Finding]:
    """The secrets in a text, in its order, without those that `butler:allow` names.

    `searches` leaves out what is known to find nothing.
    """
    if not searches:
        return []
    tokens = _tokens(text) if searches & _TOKEN_SEARCHES else []
    hits = list(_by_prefix(text, tokens))
    if MARKER in searches:
        hits += _by_marker(text)
    if searches & {WORD, NAME}:
        hits += _by_context(text, texts.kind_of(path, text), tokens, searches)
    hits += _encoded(text, tokens, searches)
    if not hits:
        return []
    allowed = allowances(text)
    return [
        finding
        for finding in _located(text, _without_overlaps(hits), path)
        if finding.rule not in allowed.get(finding.line, ())
    ]


def candidates(text: str) -> Iterator[tuple[int, str]]:
    """Every long token of a text and where it is, also those that are written in base64 or with
    escapes: for a caller that knows secrets of its own."""
    tokens = _tokens(text)
    for start, end in tokens:
        yield start, text[start:end]
    for start, _, decoded in (*_base64_runs(text, tokens), *_unescaped_lines(text)):
        for token_start, token_end in _tokens(decoded):
            yield start, decoded[token_start:token_end]


def _tokens(text: str) -> list[tuple[int, int]]:
    return [run.span(1) for run in _TOKEN.finditer(text) if run.start(1) >= 0]


def _lowered(text: str) -> str:
    """In lower case with the same length: a few letters would become two."""
    lowered = text.lower()
    return (
        lowered if len(lowered) == len(text) else text.encode("ascii", "replace").decode().lower()
    )


def _by_prefix(text: str, tokens: list[tuple[int, int]]) -> Iterator[Hit]:
    for start, _ in tokens:
        if (
            text[start - 1 : start] == "\\" and text[start] in "nrt"
        ):  # `\nsk-…` of JSON or source code
            yield from _first(text, start + 1)
        if text[start : start + PREFIX_INDEX_CHARACTERS] in BY_PREFIX:
            yield from _first(text, start)


def _first(text: str, start: int) -> Iterator[Hit]:
    rules = BY_PREFIX.get(text[start : start + PREFIX_INDEX_CHARACTERS], [])
    yield from _verified_first(text, start, rules)


def _verified_first(text: str, start: int, rules: list[tuple[str, Rule]]) -> Iterator[Hit]:
    for prefix, rule in rules:
        if text.startswith(prefix, start) and (hit := _verified(rule, text, start)):
            yield hit
            return


def _by_marker(text: str) -> Iterator[Hit]:
    for marker, rule in BY_MARKER:
        at = text.find(marker)
        while at >= 0:
            start = at - rule.lead
            if start >= 0 and (hit := _verified(rule, text, start)):
                yield hit
            at = text.find(marker, at + len(marker))


def _verified(rule: Rule, text: str, start: int) -> Hit | None:
    match = rule.match(text, start)
    if match is None:
        return None
    group = match.lastindex or 0
    return _hit(rule, text, match.start(group), match.end(group))


def _hit(rule: Rule, text: str, start: int, end: int) -> Hit | None:
    secret = text[start:end]
    verdict: str | None = checks.LIKELY
    if rule.check:
        verdict = checks.CHECKS[rule.check](secret, text, end)
    if verdict is None or rule.allows(secret):
        return None
    if verdict != checks.CERTAIN and not _is_random(rule, secret):
        return None
    return Hit(
        start,
        end,
        Finding(
            rule,
            secret,
            certain=verdict == checks.CERTAIN,
            doubtful=verdict == checks.DOUBTFUL,
        ),
    )


def _is_random(rule: Rule, secret: str) -> bool:
    return not rule.entropy or (
        checks.entropy(secret) >= rule.entropy and not checks.is_placeholder(secret)
    )


def _by_context(
    text: str, kind: str, tokens: list[tuple[int, int]], searches: frozenset[str]
) -> Iterator[Hit]:
    if kind == texts.LOCK:
        return
    lowered = _lowered(text)
    if WORD in searches:
        yield from _by_word(text, lowered, tokens)
    if NAME in searches:
        yield from _by_name(text, lowered, literals_only=kind == texts.CODE)


def _by_word(text: str, lowered: str, tokens: list[tuple[int, int]]) -> Iterator[Hit]:
    """Tokens without a form of their own, by what is written before them."""
    for start, end in tokens:
        if _WORD_TOKEN_MIN <= end - start <= _WORD_TOKEN_MAX:
            context = lowered[max(start - _CONTEXT_CHARACTERS, 0) : start]
            if _SECRET_NEAR.search(context) and not _DIGEST.search(context):
                rules = (rule for rule in BY_WORD if any(word in context for word in rule.words))
                yield from _verified_first(text, start, [("", rule) for rule in rules])


def _by_name(text: str, lowered: str, *, literals_only: bool) -> Iterator[Hit]:
    values = assignments.assigned_values(text, lowered, literals_only=literals_only)
    for start, end, name in values:
        context = lowered[max(start - _CONTEXT_CHARACTERS, 0) : start] + name.lower()
        value = text[start:end]
        rule = None
        if len(value) >= _WORD_TOKEN_MIN:
            rule = next((rule for rule in BY_WORD if _fits(rule, context, value)), None)
        hit = _hit(rule, text, start, end) if rule else None
        if hit is None and assignments.looks_secret(value, name=name):
            hit = Hit(start, end, Finding(GENERIC, value, certain=False, doubtful=False))
        if hit:
            yield hit


def _fits(rule: Rule, context: str, value: str) -> bool:
    if not any(word in context for word in rule.words):
        return False
    match = rule.match(value, 0)
    return match is not None and match.end() == len(value)


def _encoded(text: str, tokens: list[tuple[int, int]], searches: frozenset[str]) -> Iterator[Hit]:
    """What is written in base64, or with percent or backslash escapes, decoded once."""
    runs = _base64_runs(text, tokens) if BASE64 in searches else ()
    lines = _unescaped_lines(text) if ESCAPE in searches else ()
    for start, end, decoded in (*runs, *lines):
        for hit in (*_by_prefix(decoded, _tokens(decoded)), *_by_marker(decoded)):
            yield Hit(start, end, hit.finding)


def _base64_runs(text: str, tokens: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    done = 0
    for start, end in tokens:
        if start < done:
            continue
        if end - start < _ENCODED_MIN and text[end : end + 1] not in ("+", "/"):
            continue
        if checks.decoded_base64(text[start : start + _ENCODED_MIN]) is None:
            continue
        run = _BASE64_RUN.match(text, start)
        if run is None:
            continue
        done = run.end()
        if decoded := checks.decoded_base64(run[0]):
            yield start, run.end(), decoded


def _unescaped_lines(text: str) -> Iterator[tuple[int, int, str]]:
    done = 0
    for escape in _ESCAPE.finditer(text):
        if escape.start() < done:
            continue
        start = max(
            text.rfind("\n", done, escape.start()) + 1, escape.start() - _CONTEXT_CHARACTERS
        )
        end = text.find("\n", escape.end(), start + _ESCAPED_LINE_MAX)
        done = end if end >= 0 else min(start + _ESCAPED_LINE_MAX, len(text))
        yield start, done, _ESCAPE.sub(_unescaped, text[start:done])


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[0].lstrip("%\\ux"), 16))


def _without_overlaps(hits: list[Hit]) -> list[Hit]:
    """Of hits on the same characters the one that was found first, by the most specific way."""
    order = {id(hit): number for number, hit in enumerate(hits)}
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start):
        if not kept or kept[-1].end <= hit.start:
            kept.append(hit)
        elif order[id(hit)] < order[id(kept[-1])]:
            kept[-1] = hit
    return kept


def _located(text: str, hits: list[Hit], path: str) -> Iterator[Finding]:
    line, newline, counted = 1, -1, 0
    for hit in hits:
        line += text.count("\n", counted, hit.start)
        newline = max(newline, text.rfind("\n", counted, hit.start))
        counted = hit.start
        finding = hit.finding
        finding.path = path
        finding.line = line
        finding.column = hit.start - newline
        finding.end_line = line + text.count("\n", hit.start, hit.end)
        finding.end_column = hit.end - max(newline, text.rfind("\n", hit.start, hit.end))
        yield finding
