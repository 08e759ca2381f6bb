"""Where the parts of running text begin: at keywords that begin a clause.

A keyword counts where a sentence, a line or a clause begins: after punctuation, "and", "then". In
"review the design" or "a tool to extract and clean data" nothing new begins. Whoever reads this
for a rule of grammar will miss some: when in doubt, a text stays whole.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from orchestration.planning import vocabulary as words

# How far is looked back for the words before a keyword, and for the beginning of its sentence.
_LOOK_BACK = 60
_SENTENCE_MAX = 200
_LINE_SHORT = 50
_RUN_ON_MAX = 1_000
# A text with so many keywords, of which fewer than `most` begin a part, lists no orders.
_READ_MAX = 5_000
_PUNCTUATION = r",;:.!?…&>→|\-–—"
# Stands for the space before a separating word: white space that `re` can skip to, as there are
# far fewer of them than of spaces.
_BEFORE_WORD = "\x1f"
_ENTRANCES = rf"\n{_BEFORE_WORD}{_PUNCTUATION}"
_CLOSING = r"\"”’)\]"
_OPENING = r"*_#`\"'“‘«(\["
_SENTENCE_ENDS = re.compile(r"[.!?;\n]")
_ORDER_MARKS = re.compile(r"[.!?;\n>→]")
_WORD = re.compile(r"[^\W\d_]+")
_NEXT_WORD = re.compile(r"[*_`\"'”’)\]]{0,3}\s{1,3}([a-z]+)")
_KEPT = re.compile(rf"[.…]*[!?{_CLOSING}]+")


def _any(vocabulary: Collection[str]) -> str:
    """An expression for any of these words, by first letter: most tries end there."""
    rests: dict[str, list[str]] = {}
    for word in sorted(vocabulary, reverse=True):
        rests.setdefault(word[0], []).append(word[1:])
    return "(?:" + "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items()) + ")"


_SEPARATOR = rf"{_any(words.ORDER_WORDS | words.JOINING_WORDS)} (?=[\s,:;]) [\s,:;]++"
# Linear: a run of space and punctuation is entered at its beginning, possessive quantifiers never
# go back, and what is repeated is bounded.
_CANDIDATE = re.compile(
    rf"""
    (?P<gap>
      [{_ENTRANCES}] (?<![{_ENTRANCES}].) (?<![{_ENTRANCES}]\s.)
      (?: [\s{_PUNCTUATION}] | [{_CLOSING}] (?=\s) ){{0,30}}+
      (?: {_SEPARATOR} ){{0,4}}+
    )
    (?P<part>
      [{_OPENING}]{{0,9}}+
      (?: (?: {_any(words.OPENING_WORDS)} | [a-z]{{2,20}}ly ) \s++ ){{0,6}}
      (?P<keyword> {_any(words.FORMS)} ) (?! [\w'’(\-] | \.\w )
    )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the part before ends and the next begins; between them are only separators."""

    ends_before: int
    begins_at: int


def beginnings(text: str, *, most: int) -> list[Beginning]:
    """Where parts begin in `text`: the first `most` places, in time linear in its length."""
    reader = _Reader("\n" + _lower_same_length(text), "\n" + text)
    found: list[Beginning] = []
    for match in islice(_CANDIDATE.finditer(reader.lowered), _READ_MAX):
        if len(found) >= most:
            break
        if reader.begins(match):
            if not found and reader.goes_on(match):
                # "The agent gathers names, writes letters": the list began before.
                found.append(Beginning(0, 0))
            kept = _KEPT.match(match["gap"])
            ends_before = match.start() + (kept.end() if kept else 0)
            # Positions in the text, which has no line feed before it.
            found.append(Beginning(max(ends_before - 1, 0), match.start("part") - 1))
    return found


def _lower_same_length(text: str) -> str:
    """In lower case and as long as before: a few capital letters are longer as small ones."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


class _Reader:
    """Reads the candidates of one text in turn and says which begin a part."""

    def __init__(self, lowered: str, text: str) -> None:
        for word in words.ORDER_WORDS | words.JOINING_WORDS:
            lowered = lowered.replace(f" {word}", f"{_BEFORE_WORD}{word}")
        self.lowered, self.text = lowered, text
        # What the keywords that began parts of this sentence can all be; None: none did.
        self.forms: frozenset[str] | None = None
        self.read_to = 0
        self.began_to = -1
        self.governed_to = -1

    def begins(self, match: re.Match[str]) -> bool:
        """Whether a part begins at this keyword."""
        if not self._is_separated(match):
            return False
        if _SENTENCE_ENDS.search(self.lowered, self.read_to, match.start("part")):
            self.forms = None
        self.read_to = match.end()
        if self._is_held(match):
            return False
        forms = words.FORMS[match["keyword"]]
        self.forms = forms & self.forms if self.forms and forms & self.forms else forms
        self.began_to = match.end()
        return True

    @staticmethod
    def goes_on(match: re.Match[str]) -> bool:
        """Whether the keyword can only go on with a list that its sentence began."""
        return not _is_ordered(match["gap"]) and "base" not in words.FORMS[match["keyword"]]

    def _is_separated(self, match: re.Match[str]) -> bool:
        """Whether a clause can begin here: a plain space, a hyphen or the end of a full line is
        inside of one."""
        gap = match["gap"]
        if gap.isspace():
            return "\n" in gap and self._is_new_line(match)
        return "," in gap or ";" in gap or any(map(str.isspace, gap))

    def _is_new_line(self, match: re.Match[str]) -> bool:
        """Whether the line was ended on purpose, not because it was full."""
        at = match.start()
        return (
            match["gap"].count("\n") > 1
            or self.text[match.start("part")].isupper()
            or at < _LINE_SHORT
            or "\n" in self.text[at - _LINE_SHORT : at]
        )

    def _is_held(self, match: re.Match[str]) -> bool:
        """Whether the keyword is a thing or belongs to what another word governs."""
        window = self.lowered[max(match.start() - _LOOK_BACK, 0) : match.start()]
        before = ["", "", *_WORD.findall(window)][-2:]
        after = _NEXT_WORD.match(self.lowered, match.end())
        next_word = after[1] if after else ""
        if self._is_no_verb(match, before[1], next_word):
            return True
        if _is_ordered(match["gap"]):
            return False
        if self._is_governed(match, before, next_word):
            self.governed_to = match.end()
            return True
        return self._is_out_of_line(match, next_word)

    @staticmethod
    def _is_no_verb(match: re.Match[str], before: str, after: str) -> bool:
        gap, forms = match["gap"], words.FORMS[match["keyword"]]
        abbreviated = gap.startswith(".") and (len(before) == 1 or before in words.ABBREVIATIONS)
        counted = gap[:1].isspace() and gap.lstrip()[:1].isalpha() and before in words.ARTICLES
        described = forms == {"past"} and after in words.AFTER_PARTICIPLES
        return (
            (abbreviated and "\n" not in gap)
            or (counted and "and" not in gap and "\n" not in gap)
            or described
            or after in words.AFTER_SUBJECTS
            or match["part"].startswith(("to ", "by "))
        )

    def _is_governed(self, match: re.Match[str], before: list[str], after: str) -> bool:
        """ "to extract, clean and transform": all three are one tool's."""
        if match.start() == self.governed_to:
            return True
        governor, previous = before
        if match.start() == self.began_to or previous not in words.FORMS:
            return False
        if governor in words.GOVERNING_WORDS:
            return bool(words.FORMS[previous] & words.FORMS[match["keyword"]])
        joined = "," not in match["gap"] and after not in words.AFTER_VERBS
        return governor in words.ARTICLES and joined

    def _is_out_of_line(self, match: re.Match[str], after: str) -> bool:
        """Whether, after a mere comma or "and", it is not what this sentence lists."""
        keyword = match["keyword"]
        if after in words.NAMES_OF_THINGS.get(keyword, ()):
            return True
        forms = words.FORMS[keyword]
        if self.forms is not None:
            return "base" not in forms and not forms & self.forms
        return forms <= {"noun", "past"} or self._tells_of_a_thing(match.start())

    def _tells_of_a_thing(self, at: int) -> bool:
        sentence = _SENTENCE_ENDS.split(self.lowered[max(at - _SENTENCE_MAX, 0) : at])[-1]
        return not words.MODALS.isdisjoint(_WORD.findall(sentence))


def _is_ordered(gap: str) -> bool:
    """Whether a sentence or a line begins here, or the words say what comes next."""
    return bool(_ORDER_MARKS.search(gap)) or not words.ORDER_WORDS.isdisjoint(_WORD.findall(gap))


def run_on(text: str) -> list[Beginning]:
    """Where parts begin in one short sentence without any separator; it must begin with a keyword.

    "Research market trends analyze data write report"
    """
    found: list[Beginning] = []
    since: list[str] = []
    for match in re.finditer(r"\S+", text if len(text) <= _RUN_ON_MAX else ""):
        word = match[0].lower()
        if not found and word not in words.FORMS:
            break
        if not found or _runs_on(word, since):
            found.append(Beginning(max(match.start() - 1, 0), match.start()))
            since = []
        since.append(word)
    return found


def _runs_on(word: str, since: list[str]) -> bool:
    return (
        word in words.SURE_VERBS
        and len(since) > 1
        and since[-1] not in words.ARTICLES
        and words.GOVERNING_WORDS.isdisjoint(since)
    )
