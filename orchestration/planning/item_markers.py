"""The markers of list items and headings, in the scripts and habits of many languages."""

import re

_CJK_NUMBER = "一二三四五六七八九十百〇零壹贰叁两兩"
_STEP_WORDS = (
    "step|phase|part|task|stage|milestone|schritt|aufgabe|teil|phase|etappe|paso|tarea|fase|etapa|"
    "étape|etape|tâche|partie|passo|passaggio|krok|шаг|этап|задача|adım|bước|stap|"
    "ステップ|手順|作業|步骤|步驟|任务|任務|단계|चरण|कदम|कार्य|الخطوة|خطوة|المهمة|مهمة|المرحلة"
)
_ARABIC_ORDINALS = (
    "الأولى|الاولى|الثانية|الثالثة|الرابعة|الخامسة|السادسة|السابعة|الثامنة|التاسعة|العاشرة"
)
# A space after a marker; text that was copied from a page has no-break spaces.
_GAP = r"[ \t\u00a0\u3000]"
_CIRCLED = "①-⑳㉑-㉟㊱-㊿❶-❿➀-➓⓫-⓴⓵-⓾⑴-⒇⒈-⒛Ⅰ-Ⅻⅰ-ⅻ"
# Closed and open boxes; a bullet may precede those in brackets.
_DONE_BOX = (
    r"\[[xX✓✔☑]\]|[☑☒✅✔✓🗹](?:\ufe0f)?"
    # As chat programs write them.
    r"|:(?:white_check_mark|heavy_check_mark|ballot_box_with_check):"
)
_OPEN_BOX = (
    r"\[[ \u00a0]?\]|[☐⬜❏❑□🔲🔳◻◽▢](?:\ufe0f)?"
    r"|:(?:white_large_square|white_medium_square|white_square_button|black_square_button):"
)
# Boxes only after a bullet or a number, since programs begin lines of output with them. “[-]” is
# cancelled; the others are put off, half done or important.
_CANCELLED_BOX, _OTHER_BOX = r"\[-\]", r"\[[>/!?*~]\]"
# The keywords of Org mode, which are boxes in words.
_DONE_WORD = r"(?-i:DONE|CANCELLED|CANCELED):?"
_OPEN_WORD = r"(?-i:TODO|NEXT|WAITING):?(?:[ \t]*\[\#[A-Z]\])?"
_DONE = re.compile(rf"{_DONE_BOX}|{_CANCELLED_BOX}|{_DONE_WORD}")
# A remark may follow what is struck out, as in “~~Pick a colour~~ (blue)”.
_STRUCK = re.compile(r"~~[^~\n]+~~[ \t.]*+(?:\([^()\n]*\)|[-–—✓✔✅][^\n]*)?[ \t.]*+$", re.MULTILINE)
# Words and marks that say at the end of its line that an item is done.
_DONE_WORDS = (
    "done|finished|completed?|closed|erledigt|fertig|abgeschlossen|hecho|hecha|listo|fait|"
    "terminé|fatto|feito|"
    "gedaan|klaar|zrobione|gotowe|сделано|готово|выполнено|yapıldı|tamamlandı|"
    "完了|済み|已完成|完成|완료|تم"
)
_DONE_MARKS = "✅✔☑✓"
_DONE_AT_END = re.compile(
    rf"(?P<before>\w++)[^\w\n]*? (?:[(（\[【](?:{_DONE_WORDS})!?[)）\]】]|"
    rf"[-–—] (?:{_DONE_WORDS})[.!]?"
    rf"|[{_DONE_MARKS}]\ufe0f?)[ \t]*+\Z",
    re.IGNORECASE,
)
# After these words, what follows is a name: “Replace the icon with ✅”.
_NAMES_FOLLOW = frozenset(
    ("a", "an", "the", "with", "to", "as", "into", "by", "of", "for", "from", "or", "and", "says")
    + ("mark", "marks", "word", "words", "label", "icon", "emoji")
    + ("mit", "auf", "als", "con", "como", "avec")
)
# Of what such an item ends with, a text has one. A text of 1 MB is searched for each in 1 ms.
_ENDS = (*_DONE_MARKS, ")\n", "]\n", "）\n", "】\n", " – ", " - ", " — ")
_TAIL = 40
_BEFORE_TEXT = r"(?=[^\W\d]|[ \t\u00a0*_`\"'“„«(\[])"

# The start of a line that matters. Possessive quantifiers, so that each line is read only once.
LINE = re.compile(
    rf"""
    ^(?P<indent>[ \t\u00a0\u3000]*+)
    (?! [a-z]++ [ ] [a-z] )  # Most lines of prose begin so, and no marker does.
    (?: (?P<heading> \#{{1,6}} (?=[ \t])
          | (?: ={{2,6}} | (?<![\s\S])= ) (?=[ \t]+[^\W\d_]) | ={{2,6}} (?=[^\s=][^=\n]*+=) )
      | (?P<underline> (?: ={{3,}}+ | -{{3,}}+ ) (?=[ \t]*+$) )
      | (?P<bold> (?: \*\*[^*\n]{{1,100}}\*\* | __[^_\n]{{1,100}}__
            | 【[^】\n]{{1,60}}】 ) [ ]?[:：]? (?=[ \t]*+$) )
      | (?: (?P<number>
            (?: \*\*|__)?+
            (?: [(（]?\d{{1,9}} (?: [.)] {_BEFORE_TEXT} | [．）、] )
              | [(（\[]?\d{{1,3}}[)）\]] (?={_GAP})
              | \d{{1,3}}\ufe0f?\u20e3
              | \d{{1,3}}[.]?[ºª°](?=[ \t])
              | \d{{1,2}}(?:st|nd|rd|th)[.:)](?={_GAP})
              | \#(?:\d{{1,4}}[.:)]?|[.)])(?={_GAP})
              | (?:{_STEP_WORDS}) [ \u00a0]? (?: [\d{_CJK_NUMBER}]{{1,4}} | (?:{_ARABIC_ORDINALS}) )
                [ \u00a0]? (?: [.:)：）、-] | – | — )
              | 第[\d{_CJK_NUMBER}]{{1,4}}(?:步|点|點|条|條|个|項|项|に)?[、，,:：.。\s]
              | [(（]?[{_CJK_NUMBER}]{{1,4}}[、．.)）]
              | [{_CIRCLED}][.、)]?
            )
            (?: \*\*|__)?+ )
        | (?P<decimal> \d{{1,4}} (?:\.\d{{1,4}}){{1,6}} [.)]? (?={_GAP}) )
        | (?P<weak> \d{{1,3}} (?: [ ]?[:：] (?={_GAP}) | [ ][-–—] (?={_GAP}) ) )
        | (?P<dot> \.{{1,2}} (?=[ \t]+[^\W\d_]) (?![^\n]*::) )
        | (?P<letter> [(（]?
            (?: [a-zа-яα-ωأ-يא-תक-हক-হก-ฮ가-힣] | [ivxl]{{2,5}} ) [.)）] (?={_GAP}) )
        | (?P<bullet> (?: (?: [-+‐–—] | \*{{1,5}} ) (?={_GAP}) | [•‣◦·▪▫▸▹►▻●○■◆◇➤➢→⁃∙・]
            | [🔹🔸🔵🟢🟡🟠🔴🟣⚪⚫🔘👉➡▶📌] \ufe0f? (?={_GAP})
            | (?= (?: {_DONE_BOX} | {_OPEN_BOX} ) [ \t] ) )
          )
        | (?P<emoji> [\u2600-\u27bf\U0001f300-\U0001faff] [\ufe0f\u200d]*+ {_GAP}
            (?![^\n:]{{1,30}}+:) )
        )
        (?: [ \t]*+ (?=[\WDCTNW]) (?P<box> {_DONE_BOX} | {_OPEN_BOX} | {_CANCELLED_BOX}
          | {_OTHER_BOX} | {_DONE_WORD} | {_OPEN_WORD} ) (?=\s) )?+
      [ \t\u00a0\u3000]*+ (?=\S)
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
# The first two letters or numerals of a list; other letters before a full stop are initials.
_SEQUENCES = frozenset({"ab", "аб", "αβ", "אב", "أب", "कख", "কখ", "กข", "가나"})
# Markers of AsciiDoc, Org mode and wikis, which repeat a mark for each level.
_REPEATED = frozenset(mark * count for mark in "*." for count in range(1, 6))
_LETTERS_ONLY = re.compile(r"[\W\d_]+")


def is_done(box: str, text: str, begins_at: int) -> bool:
    """Whether an item is ticked, or its whole first line is struck out."""
    if _DONE.match(box):
        return True
    return text.startswith("~~", begins_at) and bool(_STRUCK.match(text, begins_at))


def may_end_with_done(text: str) -> bool:
    """Whether any item of the text can be done by what stands at its end."""
    return text.endswith((")", "]", "）", "】")) or any(mark in text for mark in _ENDS)


def ends_with_done(text: str, begins_at: int) -> bool:
    """Whether the first line of an item ends with “(done)”, “– done” or a mark such as ✅."""
    end = text.find("\n", begins_at)
    end = len(text) if end < 0 else end
    found = _DONE_AT_END.search(text, max(begins_at, end - _TAIL), end)
    return found is not None and found["before"].lower() not in _NAMES_FOLLOW


def are_letters(first: str, second: str) -> bool:
    """Whether two markers are the first letters or Roman numerals of a list."""
    one, two = (_LETTERS_ONLY.sub("", marker).lower() for marker in (first, second))
    return one + two in _SEQUENCES or (one, two) == ("i", "ii")


def level_of(kind: str, marker: str) -> int:
    """How many levels below the first one a marker says by itself: "1.2.1" two, "**" one."""
    if kind == "decimal":
        return marker.count(".", 0, -1)
    return len(marker) - 1 if marker in _REPEATED else 0


def number_of(marker: str) -> int:
    """The number in a marker, in digits of any script; 0 if there is none."""
    found = re.search(r"\d+", marker)
    return int(found[0]) if found else 0
