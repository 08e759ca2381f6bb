"""Find the text that is shown and not asked for: code, quotes, comments, what mail programs add.

Everything runs in time linear in the length of the text: each pattern reads a line once. Marks that
are in no line are looked for first, which takes a hundredth of the time of a pattern.
"""

import re
from collections.abc import Sequence

_FENCE = re.compile(
    r"^(?P<quote>(?:[ \t]*+>)*+)[ \t]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?"
    r"(?P<fence>`{3,}+(?=[^`\n]*+$)|~{3,}+)(?P<info>[^\n]*+)",
    re.MULTILINE,
)
_COMMENT = re.compile("<!--")
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*+\n[\w-]++[ \t]*+:[^\n]*+\n"
    r"(?:(?:[\w-]++[ \t]*+:[^\n]*+|[ \t]++[^\n]*+|-[ ][^\n]*+|\#[^\n]*+)?\n){0,60}---[ \t]*+$",
    re.MULTILINE,
)
_QUOTED = re.compile(r"^[ \t]*+>[^\n]*+(?:\n[ \t]*+>[^\n]*+)*+", re.MULTILINE)
_QUOTE_MARK = re.compile(r"^[ \t]*+>[ ]?", re.MULTILINE)
_CODE_BLOCK = re.compile(r"(?<=\n\n)(?: {4}|\t)[^\n]*+(?:\n(?: {4}|\t)[^\n]*+)*+")
_QUOTED_WORDS = re.compile(
    r"""
    "[^"\n]{1,2000}" | “[^”“\n]{1,2000}[”“] | „[^“”\n]{1,2000}[“”] | «[^»\n]{1,2000}»
    | ‘[^’\n]{1,2000}’ | (?<!\w)'[^'\n]{1,2000}'(?!\w) | `[^`\n]{1,2000}`
    | 「[^」\n]{1,2000}」 | 『[^』\n]{1,2000}』
    """,
    re.VERBOSE,
)
# Orders that are about the text below them. It says what to work on and not what to do.
_MATERIAL = re.compile(
    r"(?:(?:please|kindly|bitte|por favor|(?:could|can) you) )?(?:"
    r"(?:summari[sz]e|translate|proofread|rewrite|rephrase|paraphrase|shorten|explain|classify|"
    r"categori[sz]e|analy[sz]e|interpret|correct|edit|transcribe|reply|respond|answer|"
    r"fasse?|übersetzen?|übersetze|erkläre?|korrigiere?|kürze?|formuliere?|analysiere?|beantworte?|"
    r"resume|resumir|traduce|traducir|corrige|explica|clasifica|analiza|résume[zr]?|tradui(?:s|"
    r"re|sez)|"
    r"explique[zr]?|analyse[zr]?|traduza|resuma|riassumi|traduci)(?= )"
    r"|请?(?:总结|翻译|翻譯|概括|解释|改写|润色|校对|分析))"
    r"(?!.{0,200}(?:as follows|these steps|wie folgt))[^\n]{1,300}[:：][ \t]*+\n",
    re.IGNORECASE,
)
# A line of YAML: a key in lower case, or an item.
_DATA = re.compile(
    r"(?<=\n\n)(?:[a-z_][\w.-]*+:(?:[ ][^\n]*+)?\n){1,50}?(?=[ ]++[a-z_][\w.-]*+:[ \n])"
    r"(?:[ ]*+(?:(?:-[ ]++)?[a-zA-Z_\"'][\w.\"'/-]*+:(?:[ ][^\n]*+)?"
    r"|-[ ][^\n]*+|\#[^\n]*+)(?:\n|\Z))++"
)
# JSON over several lines, below other text.
_JSON = re.compile(
    r"(?<=\n\n)(?:\{\n(?=[ \t]*+[\"}])|\[\n(?=[ \t]*+[\"{\[\d\]]))(?:[ \t][^\n]*+\n)*+[}\]]"
)
# What was typed at a prompt, and what the program wrote.
_SESSION = re.compile(r"(?<=\n\n)\$ [^\n]+(?:\n[^\n]+)*+")
# The numbers of an outline whose first level has no full stops: “1 Collect”, “1.1 From the shop”.
_OUTLINE = re.compile(r"\n1[ \t]+[^\W\d][^\n]*\n(?:[ \t]*\n)?[ \t]*1\.1\.?[ \t]")
_BARE_NUMBER = re.compile(r"^(\d{1,3})[ \t]++(?=[^\W\d])", re.MULTILINE)
_FIRST_BELOW = re.compile(r"^[ \t]*+(\d{1,3})\.1\.?[ \t]", re.MULTILINE)
_OPENING_MARKS = "\"“„«‘'`「『"
_SHORT = 300

Span = tuple[int, int]


def normal(text: str) -> str:
    """The text with line feeds as ends of lines, no byte order marks and no common indentation."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = text.replace("\ufeff", "").replace("\u200b", "")
    if text[:1].strip():
        return text
    lines = text.split("\n")
    margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    if margin:
        text = "\n".join(line[margin:] if line.strip() else "" for line in lines)
    return text


def code_spans(text: str) -> tuple[list[Span], bool]:
    """The fenced code of the text, and whether a fence was not closed.

    An unclosed fence in a list item ends with the item; elsewhere it goes on to the end.
    """
    spans: list[Span] = []
    unclosed = False
    if not any(mark in text and 3 * mark in text for mark in "`~"):
        return [], False
    fences = list(_FENCE.finditer(text))
    # A fence that is not closed proves that no later one of the same kind and length is.
    hopeless: dict[str, int] = {}
    at = 0
    while at < len(fences):
        opening = fences[at]
        closing = _closing(fences, at, hopeless)
        if closing:
            spans.append((opening.start(), fences[closing].end()))
            at = closing + 1
            continue
        unclosed = True
        end = _end_of_container(text, opening)
        spans.append((opening.start(), end))
        at += 1
        while at < len(fences) and fences[at].start() < end:
            at += 1
    return spans, unclosed


def _closing(fences: list[re.Match[str]], at: int, hopeless: dict[str, int]) -> int:
    mark = fences[at]["fence"]
    kind, length = mark[0], len(mark)
    if length >= hopeless.get(kind, length + 1):
        return 0
    for index in range(at + 1, len(fences)):
        other = fences[index]["fence"]
        if other[0] == kind and len(other) >= length and not fences[index]["info"].strip():
            return index
    hopeless[kind] = length
    return 0


def _end_of_container(text: str, opening: re.Match[str]) -> int:
    line = opening[0]
    indent = len(line) - len(line.lstrip(" \t"))
    if not indent:
        return len(text)
    less = re.compile(rf"^(?=[ \t]{{0,{indent - 1}}}+[^ \t\n])", re.MULTILINE)
    end = less.search(text, opening.end())
    return max(end.start() - 1, opening.end()) if end else len(text)


def without_comments(text: str) -> str:
    """The text without the front matter and the comments of a template; code keeps its own."""
    if head := _FRONT_MATTER.match(text):
        text = text[head.end() :].lstrip("\n")
    if "<!--" not in text:
        return text
    code, _ = code_spans(text)
    kept: list[str] = []
    at = 0
    for match in _COMMENT.finditer(text):
        begin = match.start()
        if begin < at:
            continue
        while code and code[0][1] <= begin:
            code.pop(0)
        end = text.find("-->", begin)
        if end < 0:
            break
        if not code or code[0][0] > begin:
            kept.append(text[at:begin])
            at = end + 3
    return "".join([*kept, text[at:]])


def masked(text: str) -> tuple[str, bool]:
    """A copy of the same length in which code and quotes are filled with `x`, and as `code_spans`.

    Positions of items in the copy are those in the text.
    """
    code, unclosed = code_spans(text)
    copy = filled(text, code)
    if ":" in copy and ":\n " in copy:
        copy = filled(copy, [match.span() for match in _DATA.finditer(copy)])
    if any(mark in copy for mark in ("{\n", "[\n")):
        copy = filled(copy, [match.span() for match in _JSON.finditer(copy)])
    if "$" in copy and "\n\n$ " in copy:
        copy = filled(copy, [match.span() for match in _SESSION.finditer(copy)])
    if ">" in copy:
        copy = filled(copy, [match.span() for match in _QUOTED.finditer(copy)])
    if "1.1" in copy:
        copy = with_dots(copy)
    return copy, unclosed


def with_dots(copy: str) -> str:
    """The copy with a full stop instead of the space after “1”, “2” … of an outline with “1.1”.

    If each number has such numbers below it, the numbers are headings, and the copy stays as it is.
    """
    if not _OUTLINE.search(f"\n{copy}"):
        return copy
    spans: list[Span] = []
    for match in _BARE_NUMBER.finditer(copy):
        if int(match[1]) == len(spans) + 1:
            spans.append((match.end(1), match.end(1) + 1))
    above = {int(match[1]) for match in _FIRST_BELOW.finditer(copy)}
    return copy if above.issuperset(range(1, len(spans) + 1)) else filled(copy, spans, ".")


def code_blocks(masked: str) -> list[Span]:
    """The blocks of lines that are indented by four columns and follow an empty line."""
    if "\n\n    " not in masked and "\n\n\t" not in masked:
        return []
    return [match.span() for match in _CODE_BLOCK.finditer(masked)]


def masked_words(copy: str) -> str:
    """The masked copy of a text without lists, in which what is within quotation marks is masked.

    Of single words in quotation marks nothing is masked, and indented code is.
    """
    copy = filled(copy, code_blocks(copy))
    if not any(mark in copy for mark in _OPENING_MARKS):
        return copy
    quoted = (match for match in _QUOTED_WORDS.finditer(copy) if not match[0].isalnum())
    spans = [match.span() for match in quoted if " " in match[0] or not match[0].isascii()]
    return filled(copy, [(begin + 1, end - 1) for begin, end in spans])


def is_about_a_text(text: str) -> bool:
    """Whether the first line is an order such as “Translate this:” about the text below it."""
    return bool(_MATERIAL.match(text.lstrip()))


def filled(text: str, spans: Sequence[Span], mark: str = "x") -> str:
    """A copy of the same length in which these spans, in their order, are filled with `mark`."""
    pieces: list[str] = []
    at = 0
    for begin, end in spans:
        pieces += [text[at:begin], mark * (end - begin)]
        at = end
    return "".join([*pieces, text[at:]])


def unquoted(text: str) -> str:
    """The text without its quotation marks if all that it asks for is quoted.

    That is: it is one quotation, with at most a short introduction that ends with a colon.
    """
    if ">" not in text:
        return text
    quotes = list(_QUOTED.finditer(text))
    if not quotes or text[quotes[-1].end() :].strip():
        return text
    before = text[: quotes[0].start()].strip()
    if before and (len(before) > _SHORT or not before.endswith((":", "："))):
        return text
    if is_about_a_text(text):
        return text
    between = zip(quotes, quotes[1:], strict=False)
    if any(text[one.end() : two.start()].strip() for one, two in between):
        return text
    return _QUOTE_MARK.sub("", text)
