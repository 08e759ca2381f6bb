"""What tells a secret from what only looks like one: check digits, randomness, placeholders."""

from __future__ import annotations

import binascii
import math
import re
import zlib

from security.scanner import rule_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CRC_CHARACTERS = 6
_PEM_CHARACTERS_MAX = 16_000
_PEM_BODY_MIN = 64
_SEQUENCE_MAX = 0.4
_TOKEN_CHARACTERS_MIN = 16
_TOKEN_ENTROPY_MIN = 3.2
_HEX_ENTROPY_MIN = 2.8
_HEX_CHANGES_MIN = 0.12
_CLASS_CHANGES_MIN = 0.2
_CAPITALS_MIN = 0.28
_LETTER_CHANGES_MIN = 0.3
_FOREIGN = re.compile(r"[^A-Za-z0-9_+/=.~!@#$%^&*:-]")
_HEX = re.compile(r"[0-9a-fA-F]+")
# As people write them: in random text, four letters of any case are a word too often.
_PLACEHOLDER = re.compile(
    "|".join(
        re.escape(form)
        for word in rule_data.PLACEHOLDER_WORDS
        for form in sorted({word, word.upper(), word.capitalize()})
    )
)

# A doubtful finding is reported one level lower. None: it is no secret.
CERTAIN, LIKELY, DOUBTFUL = "certain", "likely", "doubtful"


def entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    length = len(text)
    counts = [text.count(character) for character in set(text)]
    return -sum(count / length * math.log2(count / length) for count in counts)


def class_changes(value: str) -> float:
    """The share of letters and digits of another class than the one before: low in words."""
    classes = [class_of(character) for character in value if character.isalnum()]
    changes = sum(a != b for a, b in zip(classes, classes[1:], strict=False))
    return changes / max(len(classes) - 1, 1)


def class_of(character: str) -> int:
    """1 to 4: digit, small letter, capital, anything else."""
    if character.isdigit():
        return 1
    if character.isalpha():
        return 2 if character.islower() else 3
    return 4


def is_random(value: str) -> bool:
    """Whether a machine made the value; words and names of code are made of longer runs."""
    if len(value) < _TOKEN_CHARACTERS_MIN or _FOREIGN.search(value):
        return False
    changes, bits = class_changes(value), entropy(value)
    if not any(map(str.isdigit, value)):
        return changes >= _LETTER_CHANGES_MIN and _has_many_capitals(value)
    if _HEX.fullmatch(value):
        return changes >= _HEX_CHANGES_MIN and bits >= _HEX_ENTROPY_MIN
    return changes >= _CLASS_CHANGES_MIN and bits >= _TOKEN_ENTROPY_MIN


def _has_many_capitals(value: str) -> bool:
    """As random letters have, and words that are written together have not."""
    return _CAPITALS_MIN <= sum(map(str.isupper, value)) / len(value) <= 1 - _CAPITALS_MIN


def is_placeholder(text: str) -> bool:
    """Whether a person typed it to stand for a secret: words such as "your", runs such as 12345."""
    return bool(_PLACEHOLDER.search(text)) or _sequence_share(text) > _SEQUENCE_MAX


def _sequence_share(text: str) -> float:
    """The share of characters that repeat the one before or come right after it."""
    codes = text.encode("utf-8", "surrogatepass")
    steps = sum(after - before in (0, 1) for before, after in zip(codes, codes[1:], strict=False))
    return steps / max(len(codes) - 1, 1)


def crc32_tail(secret: str, text: str, end: int) -> str:
    """GitHub and npm: the last six characters are the CRC-32 of the others, without the prefix."""
    prefix = "github_pat_" if secret.startswith("github_pat_") else secret[: secret.index("_") + 1]
    body, tail = secret[len(prefix) : -_CRC_CHARACTERS], secret[-_CRC_CHARACTERS:]
    return CERTAIN if base62(zlib.crc32(body.encode())) == tail else DOUBTFUL


def base62(number: int) -> str:
    """Six digits to the base of 62."""
    digits = ""
    for _ in range(_CRC_CHARACTERS):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def openai(secret: str, text: str, end: int) -> str:
    """Keys of OpenAI have "OpenAI" in base64 in the middle."""
    return CERTAIN if "T3BlbkFJ" in secret else LIKELY


def mixed(secret: str, text: str, end: int) -> str | None:
    """What has a short beginning and an open alphabet must not look like words with hyphens."""
    return LIKELY if is_random(secret) else None


def jwt(secret: str, text: str, end: int) -> str | None:
    """The header of a JSON Web Token is JSON and names the algorithm."""
    header = decoded_base64(secret.split(".", 1)[0])
    if not header or not re.match(r'\s{0,9}\{.*"alg"\s{0,9}:', header):
        return None
    return DOUBTFUL if re.search(r'"alg"\s{0,9}:\s{0,9}"none"', header) else LIKELY


def pem(secret: str, text: str, end: int) -> str | None:
    """A private key has a body, in lines or with escapes in one; an encrypted one is doubtful."""
    stop = text.find("-----", end, end + _PEM_CHARACTERS_MAX)
    body = text[end : stop if stop >= 0 else end + _PEM_CHARACTERS_MAX]
    key = re.sub(r"\\+[nrt]|[^A-Za-z0-9+/=]", "", re.sub(r"[\w-]{1,40}: [^\n\\]{0,200}", "", body))
    if len(key) < _PEM_BODY_MIN or _sequence_share(key[:200]) > _SEQUENCE_MAX:
        return None
    return DOUBTFUL if "ENCRYPTED" in secret or "ENCRYPTED" in body else LIKELY


def url_password(secret: str, text: str, end: int) -> str | None:
    """A password in a URL is one unless it stands for one or is the well-known one of a test."""
    if re.match(rule_data.NOT_LITERAL, secret) or is_placeholder(secret):
        return None
    lowered = secret.lower()
    named = secret.isalpha() and any(word in lowered for word in rule_data.PASSWORD_PLACEHOLDERS)
    return None if named or lowered in rule_data.WELL_KNOWN_PASSWORDS else LIKELY


def decoded_base64(text: str) -> str | None:
    """The ASCII text in a run of base64 or base64url, or None."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return decoded.decode() if decoded.isascii() else None


CHECKS: dict[str, Callable[[str, str, int], str | None]] = {
    "crc32_tail": crc32_tail,
    "openai": openai,
    "mixed": mixed,
    "jwt": jwt,
    "pem": pem,
    "url_password": url_password,
}
