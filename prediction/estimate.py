"""The estimate from a text: words, weighted by what kind of work the text asks for.

    tokens = words / 0.75 × (1 + Σ(multiplier − 1) over the traits found), rounded up

A word is what stands between white space; Chinese and Japanese, written without it, count one word
per character. The rule is blind to how long a word is: it estimates the work a text asks for, and
is no bound on the tokens of the text itself.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

WORDS_PER_TOKEN = Fraction(3, 4)
CONFIDENCE_BASE = Decimal("0.6")
CONFIDENCE_MAX = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Trait:
    """A kind of work, and the words that tell of it: regular expressions in lower case, inflections
    and all, that begin with a plain letter.

    Traits of the same `evidence` add to the confidence once, together (None: not at all).
    """

    name: str
    words: tuple[str, ...]
    multiplier: Decimal
    evidence: str | None = None


# Few and plain on purpose: a word that also means something else ("program", "rest", "service")
# would multiply the estimates of texts that have nothing to do with it.
TRAITS = (
    Trait(
        "code",
        (
            r"cod(?:e|es|ed|er|ers|ing|ebase|ebases)",
            r"implement(?:s|ed|ing|ation|ations)?",
            r"refactor(?:s|ed|ing|ings)?",
            r"programming",
        ),
        Decimal(2),
        evidence="code or API",
    ),
    Trait(
        "API",
        (r"apis?", r"endpoints?", r"openapi", r"graphql", r"webhooks?"),
        Decimal("1.5"),
        evidence="code or API",
    ),
    Trait(
        "integration",
        (r"integrat(?:e|es|ed|ing|ion|ions|or|ors)",),
        Decimal("1.5"),
        evidence="integration",
    ),
    Trait("sub-agents", (r"sub[-_ ]?agents?",), Decimal(1)),
)
EVIDENCE_WORTH = Decimal("0.1")


def _whole_words(words: tuple[str, ...]) -> re.Pattern[str]:
    """Match `words` with no letter or digit on either side; `_` is none, so snake_case counts.

    What stands to the left is looked at after the first letter, not before it: then `re` can skip
    to the next first letter, which makes a megabyte five times as quick.
    """
    checked = (rf"{word[0]}(?<![^\W_].){word[1:]}" for word in words)
    return re.compile(rf"(?:{'|'.join(checked)})(?![^\W_])")


_PATTERNS = tuple((trait, _whole_words(trait.words)) for trait in TRAITS)
# Of each byte of Latin-1, whether it is white space or a letter.
_LETTERS = bytes(ord(" " if chr(byte).isspace() else "x") for byte in range(256))
_ONE_CHARACTER_WORDS = re.compile(
    "[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many tokens a text asks for: `estimated` = ⌈`words` / 0.75 × `multiplier`⌉.

    `base`: the same without the multiplier. `confidence`: 0 to 1. `traits`: names of those found.
    `reasoning`: a sentence or two for people.
    """

    estimated: int
    base: int
    multiplier: Decimal
    confidence: Decimal
    reasoning: str
    words: int
    traits: tuple[str, ...]


def estimate(text: str) -> Estimate:
    """Estimate the tokens that the work described in `text` needs; in time linear in its length."""
    words = count_words(text)
    found = _traits_of(text)
    multiplier = 1 + sum((trait.multiplier - 1 for trait in found), Decimal(0))
    base = words / WORDS_PER_TOKEN
    confidence = _confidence(found)
    estimated = ceil(base * Fraction(multiplier))
    return Estimate(
        estimated=estimated,
        base=ceil(base),
        multiplier=multiplier,
        confidence=confidence,
        reasoning=_reasoning(words, ceil(base), found, multiplier, estimated),
        words=words,
        traits=tuple(trait.name for trait in found),
    )


def count_words(text: str) -> int:
    """Count what stands between white space, and every Chinese or Japanese character as one."""
    try:
        return _runs(text.encode("latin-1"))
    except UnicodeEncodeError:
        rest, characters = _ONE_CHARACTER_WORDS.subn(" ", text)
    if not characters:
        return len(rest.split())
    # What is left of 「你好。」 without its characters is punctuation, no word.
    return characters + sum(1 for word in rest.split() if any(map(str.isalnum, word)))


def _runs(text: bytes) -> int:
    """How many words the text has: without a list of them, which takes five times as long."""
    letters = text.translate(_LETTERS)
    return letters.count(b" x") + letters.startswith(b"x")


def _traits_of(text: str) -> list[Trait]:
    lowered = text.lower()
    return [trait for trait, pattern in _PATTERNS if pattern.search(lowered)]


def _confidence(found: list[Trait]) -> Decimal:
    evidence = {trait.evidence for trait in found} - {None}
    return min(CONFIDENCE_BASE + EVIDENCE_WORTH * len(evidence), CONFIDENCE_MAX)


def _reasoning(
    words: int, base: int, found: list[Trait], multiplier: Decimal, estimated: int
) -> str:
    start = f"{words:,} words at 0.75 words per token are {base:,} tokens."
    if not found:
        return f"{start} Nothing in the text asks for code, APIs, integration or sub-agents."
    traits = ", ".join(f"{trait.name} (×{trait.multiplier})" for trait in found)
    return f"{start} The text asks for {traits}: × {multiplier} makes {estimated:,} tokens."
