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
_CIRCLED = "①-⑳㉑-㉟㊱-㊿❶-❿➀-➓⓫-⓴⓵-⓾⑴-⒇⒈-⒛Ⅰ-Ⅻⅰ-ⅻ"
# Closed and open boxes; a bullet may precede those in brackets.
_DONE_BOX = r"\[[xX✓✔☑]\]|[☑☒✅✔✓🗹](?:\ufe0f)?"
_OPEN_BOX = r"\[[ \u00a0]?\]|[☐⬜❏❑□](?:\ufe0f)?"
_DONE = re.compile(_DONE_BOX)
_STRUCK = re.compile(r"~~[^~\n]+~~[ \t.]*+$", re.MULTILINE)
_BEFORE_TEXT = r"(?=[^\W\d]|[ \t\u00a0*_`\"'“„«(\[])"

# The start of a line that matters. Possessive quantifiers, so that each line is read only once.
LINE = re.compile(
    rf"""
    ^(?P<indent>[ \t\u00a0\u3000]*+)
    (?: (?P<heading> \#{{1,6}} (?=[ \t]) )
      | (?P<underline> (?: ={{3,}}+ | -{{3,}}+ ) (?=[ \t]*+$) )
      | (?P<bold> (?: \*\*[^*\n]{{1,100}}\*\* | __[^_\n]{{1,100}}__ ) [ ]?[:：]? (?=[ \t]*+$) )
      | (?: (?P<number>
            (?: \*\*|__)?+
            (?: [(（]?\d{{1,9}} (?: [.)] {_BEFORE_TEXT} | [．）、] )
              | [(（\[]?\d{{1,3}}[)）\]] (?=[ \t])
              | \d{{1,3}}\ufe0f?\u20e3
              | \d{{1,3}}[.]?[ºª°](?=[ \t])
              | \#\d{{1,4}}[.:)]?(?=[ \t])
              | (?:{_STEP_WORDS}) [ \u00a0]? (?: [\d{_CJK_NUMBER}]{{1,4}} | (?:{_ARABIC_ORDINALS}) )
                [ \u00a0]? (?: [.:)：）、-] | – | — )
              | 第[\d{_CJK_NUMBER}]{{1,4}}(?:步|点|點|条|條|个|項|项|に)?[、，,:：.。\s]
              | [(（]?[{_CJK_NUMBER}]{{1,4}}[、．.)）]
              | [{_CIRCLED}][.、)]?
            )
            (?: \*\*|__)?+ )
        | (?P<decimal> \d{{1,4}} (?:\.\d{{1,4}}){{1,6}} [.)]? (?=[ \t]) )
        | (?P<weak> \d{{1,3}} (?: [ ]?[:：] (?=[ \t]) | [ ][-–—] (?=[ \t]) ) )
        | (?P<letter> [(（]?
            (?: [a-zа-яα-ωأ-يא-תक-ह] | [ivxl]{{2,5}} ) [.)）] (?=[ \t]) )
        | (?P<bullet> (?: [-*+‐–—] (?=[ \t]) | [•‣◦·▪▫▸▹►▻●○■◆◇➤➢→⁃∙・]
            | (?= (?: {_DONE_BOX} | {_OPEN_BOX} ) [ \t] ) )
          )
        )
        (?: [ \t]*+ (?P<box> {_DONE_BOX} | {_OPEN_BOX} ) (?=\s) )?+
      [ \t\u00a0\u3000]*+ (?=\S)
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
# The first two letters or numerals of a list; other letters before a full stop are initials.
_SEQUENCES = frozenset({"ab", "аб", "αβ", "אב", "أب", "कख"})
_LETTERS_ONLY = re.compile(r"[\W\d_]+")


def is_done(box: str, text: str, begins_at: int) -> bool:
    """Whether an item is ticked, or its whole first line is struck out."""
    if _DONE.match(box):
        return True
    return text.startswith("~~", begins_at) and bool(_STRUCK.match(text, begins_at))


def are_letters(first: str, second: str) -> bool:
    """Whether two markers are the first letters or Roman numerals of a list."""
    one, two = (_LETTERS_ONLY.sub("", marker).lower() for marker in (first, second))
    return one + two in _SEQUENCES or (one, two) == ("i", "ii")


def number_of(marker: str) -> int:
    """The number in a marker, in digits of any script; 0 if there is none."""
    found = re.search(r"\d+", marker)
    return int(found[0]) if found else 0
