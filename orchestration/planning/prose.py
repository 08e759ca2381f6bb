"""Find where the parts of prose begin: at keywords that begin a clause.

A keyword counts where a sentence, a line or a clause begins: after punctuation, "and", "then". In
"review the design" or "a tool to extract and clean data" no part begins. This is not a grammar of
English: in doubtful cases the text is not divided.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from orchestration.planning import vocabulary as words

# How many characters are searched for the words before a keyword, and for its sentence.
_LOOK_BACK = 60
_SENTENCE_MAX = 200
_LINE_SHORT = 50
_RUN_ON_MAX = 1_000
# So much is read first: mostly it has as many parts as there may be. More words than this are in no
# match, so what follows them changes nothing before them.
_HEAD = 50_000
_WORDS_OF_ONE = 200
# After so many keywords, the rest of the text is not searched.
_READ_MAX = 5_000
_PUNCTUATION = r",;:.!?…&>→|\-–—"
# Replaces the space before a separating word, so that `re` has fewer places to try than spaces.
_BEFORE_WORD = "\x1f"
_SEPARATING = sorted(words.ORDER_WORDS | words.JOINING_WORDS)
# Words that begin with another one, such as “lastly”, are found with it.
_SEPARATING = [
    word
    for word in _SEPARATING
    if not any(word.startswith(other) and word != other for other in _SEPARATING)
]
_ENTRANCES = rf"\n{_BEFORE_WORD}{_PUNCTUATION}"
_CLOSING = r"\"”’)\]"
_OPENING = r"*_#`\"'“‘«(\["
_SENTENCE_ENDS = re.compile(r"[.!?;\n]")
_ORDER_MARKS = re.compile(r"[.!?;\n>→]")
_WORD = re.compile(r"[^\W\d_]+")
_NEXT_WORD = re.compile(r"[*_`\"'”’)\]]{0,3}\s{1,3}([a-z]+)")
_KEPT = re.compile(rf"[.…]*[!?{_CLOSING}]+")


def _any(vocabulary: Collection[str]) -> str:
    """A pattern for any of these words, grouped by first letter, where most attempts fail."""
    rests: dict[str, list[str]] = {}
    for word in sorted(vocabulary, reverse=True):
        rests.setdefault(word[0], []).append(word[1:])
    return "(?:" + "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items()) + ")"


_SEPARATOR = rf"{_any(words.ORDER_WORDS | words.JOINING_WORDS)} (?=[\s,:;]) [\s,:;]++"
# Runs in linear time: a gap is matched only from its beginning, possessive quantifiers never
# backtrack, and repetitions are bounded.
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
    """Positions where a part begins and where the text of the part before ends."""

    ends_before: int
    begins_at: int


def beginnings(text: str, *, most: int) -> list[Beginning]:
    """The first `most` places in `text` where parts begin, in time linear in its length."""
    head = text[:_HEAD]
    # Letters get the same lower case in both.
    if len(head) < len(text) and ("İ" in head) == ("İ" in text):
        found = _beginnings(head, most)
        if len(found) >= most and len(head[found[-1].ends_before :].split()) > _WORDS_OF_ONE:
            return found
    return _beginnings(text, most)


def _beginnings(text: str, most: int) -> list[Beginning]:
    reader = _Reader("\n" + _lower_same_length(text), "\n" + text)
    found: list[Beginning] = []
    for match in islice(_CANDIDATE.finditer(reader.lowered), _READ_MAX):
        if len(found) >= most:
            break
        if reader.begins(match):
            if not found and reader.goes_on(match):
                # In "The agent gathers names, writes letters" the first part begins with the text.
                found.append(Beginning(0, 0))
            kept = _KEPT.match(match["gap"])
            ends_before = match.start() + (kept.end() if kept else 0)
            # Positions without the line feed that was put before the text.
            found.append(Beginning(max(ends_before - 1, 0), match.start("part") - 1))
    return found


def _lower_same_length(text: str) -> str:
    """The text in lower case with the same length; a few lower-case forms would be longer."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


class _Reader:
    """Decides, for the candidates of one text in their order, which of them begin a part."""

    def __init__(self, lowered: str, text: str) -> None:
        for word in _SEPARATING:
            lowered = lowered.replace(f" {word}", f"{_BEFORE_WORD}{word}")
        self.lowered, self.text = lowered, text
        # The forms that the keywords with a part in this sentence share; None before the first one.
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
        if self._is_inside_clause(match):
            return False
        forms = words.FORMS[match["keyword"]]
        self.forms = forms & self.forms if self.forms and forms & self.forms else forms
        self.began_to = match.end()
        return True

    @staticmethod
    def goes_on(match: re.Match[str]) -> bool:
        """Whether the keyword can only continue a list that began earlier in its sentence."""
        return not _is_ordered(match["gap"]) and "base" not in words.FORMS[match["keyword"]]

    def _is_separated(self, match: re.Match[str]) -> bool:
        """Whether a clause can begin here; a space, a hyphen and a wrapped line are inside one."""
        gap = match["gap"]
        if gap.isspace():
            return "\n" in gap and self._is_new_line(match)
        return "," in gap or ";" in gap or any(map(str.isspace, gap))

    def _is_new_line(self, match: re.Match[str]) -> bool:
        """Whether the line ended deliberately and was not just wrapped."""
        at = match.start()
        return (
            match["gap"].count("\n") > 1
            or self.text[match.start("part")].isupper()
            or at < _LINE_SHORT
            or "\n" in self.text[at - _LINE_SHORT : at]
        )

    def _is_inside_clause(self, match: re.Match[str]) -> bool:
        """Whether the keyword is a noun, or belongs to the clause of another word."""
        window = self.lowered[max(match.start() - _LOOK_BACK, 0) : match.start()]
        before = ["", "", *_WORD.findall(window)][-2:]
        after = _NEXT_WORD.match(self.lowered, match.end())
        next_word = after[1] if after else ""
        if self._is_not_a_verb(match, before[1], next_word):
            return True
        if _is_ordered(match["gap"]):
            return False
        if self._is_governed(match, before, next_word):
            self.governed_to = match.end()
            return True
        return self._breaks_the_list(match, next_word)

    @staticmethod
    def _is_not_a_verb(match: re.Match[str], before: str, after: str) -> bool:
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
        """Whether a word before governs the keyword, as in "to extract, clean and transform"."""
        if match.start() == self.governed_to:
            return True
        governor, previous = before
        if match.start() == self.began_to or previous not in words.FORMS:
            return False
        if governor in words.GOVERNING_WORDS:
            return bool(words.FORMS[previous] & words.FORMS[match["keyword"]])
        joined = "," not in match["gap"] and after not in words.AFTER_VERBS
        return governor in words.ARTICLES and joined

    def _breaks_the_list(self, match: re.Match[str], after: str) -> bool:
        """Whether, after only a comma or "and", the keyword does not continue the list."""
        keyword = match["keyword"]
        if after in words.NAMES_OF_THINGS.get(keyword, ()):
            return True
        forms = words.FORMS[keyword]
        if self.forms is not None:
            return "base" not in forms and not forms & self.forms
        return forms <= {"noun", "past"} or self._describes_a_thing(match.start())

    def _describes_a_thing(self, at: int) -> bool:
        sentence = _SENTENCE_ENDS.split(self.lowered[max(at - _SENTENCE_MAX, 0) : at])[-1]
        return not words.MODALS.isdisjoint(_WORD.findall(sentence))


def _is_ordered(gap: str) -> bool:
    """Whether a sentence or a line begins here, or a word such as "then" announces a part."""
    return bool(_ORDER_MARKS.search(gap)) or not words.ORDER_WORDS.isdisjoint(_WORD.findall(gap))


def run_on(text: str) -> list[Beginning]:
    """The places where parts begin in one short sentence that has no separators.

    The sentence must begin with a keyword, as in
    "Research market trends analyze data write report".
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
