"""Find the steps of prose by the words of many languages for their order, and its requests.

“First …, then …, finally …” is a sequence; a mail with “Could you …? Please also …” has requests.
In doubtful cases, such as “if …, then …” or one “then” in a long text, the text is not divided.
"""

import re
from dataclasses import dataclass
from itertools import islice

from orchestration.planning import order_words

# Of so many clauses at most; the rest of the text belongs to the last part.
_CLAUSES_MAX = 20_000
_LONG = 300
# A longer text is no order to write a story.
_STORY_MAX = 2_000

# A word of Arabic that ends with tanwin, whose two characters are written in either order.
_TANWIN = "اً"


def _spaced(words: str) -> str:
    """The words for a verbose pattern, which ignores spaces, grouped by their first letters."""
    rests: dict[str, list[str]] = {}
    for word in words.split("|"):
        rests.setdefault(word[0], []).append(word[1:])
    grouped = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items())
    return grouped.replace(" ", r"\ ").replace(_TANWIN, f"(?:{_TANWIN}|{_TANWIN[::-1]})")


def _first_letters(*words: str) -> str:
    outside_brackets = (word for each in words for word in re.split(r"\|(?![^()]*\))", each))
    return "".join(sorted({word[0] for word in outside_brackets}))


_JOINING = order_words.JOINING
_BOUNDARY = re.compile(
    rf"[.!?;,:。！？；，、।؛،？۔…]++\s*+|\n\s*+"
    # Most words begin with another letter.
    rf"|[ ](?=[{_first_letters(_JOINING, order_words.AFTER_ANYTHING, order_words.THAI)}])"
    rf"(?:(?=(?:{_JOINING})[ ])|(?={order_words.THAI})|(?=(?:{order_words.AFTER_ANYTHING})[ ])"
    r"(?<!since[ ])(?<!\bby[ ])(?<!until[ ])(?<!even[ ])(?<!back[ ]))",
    re.IGNORECASE,
)
_MARK = re.compile(
    rf"""
    (?: (?:{_JOINING}) \s++ )?+
    (?:
      (?: (?P<first>{_spaced(order_words.FIRST)}) | (?P<last>{_spaced(order_words.LAST)})
        | (?P<next>{_spaced(order_words.NEXT)}) | (?P<weak>{_spaced(order_words.WEAK)}) )
      (?=[\s,،:]|\Z) [\s,،:]*+
    | (?: (?P<first2>{order_words.FIRST_UNSPACED}) | (?P<last2>{order_words.LAST_UNSPACED})
        | (?P<next2>{order_words.NEXT_UNSPACED}) )
      [\s，、,：:]*+
    # The step before in its end: “Once that is done, …”, “When they have joined, …”.
    | (?P<next3> (?= (?:once|as\ soon\ as|when)\ (?:
        (?:that|this|it|everything|all\ (?:that|this))(?:\ is|['’]s)
          \ (?:done|finished|complete|ready|over)
        | (?:they|these|those)\ (?:are\ (?:done|finished|complete|ready) | have\ [^\W\d_]++)
        | (?:that|this|it)\ has\ (?:been\ )?[^\W\d_]++
      ) \Z ) )
    | (?= (?:[^\W\d_]++['’]?\ ){{1,2}}? (?P<inside>{_spaced(order_words.INSIDE)}) \b )
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\W*+(?:if|when|whenever|unless|once|wenn|falls|sobald|si|cuando|quand|lorsque|se|"
    r"als(?! (?:erstes|zweites|nächstes|letztes))|indien|wanneer|jeśli|gdy|если|когда|якщо|коли|"
    r"eğer|אם|যদি|만약|nếu|khi|jika|kalau|bila|om(?! te)|när|hvis|når|pokud|když|dacă|"
    r"αν|όταν|jos|اگر|अगर|यदि|जब|إذا|اذا|عندما)(?=\s)|\W*+(?:如果|若|当|當|もし)",
    re.IGNORECASE,
)
# What happens in a story that is to be told is no step.
_STORY = re.compile(
    r"\b(?:story|poem|scene|novel|tale|fable|song|joke|film|movie|comic|play|dialogue|myth|"
    r"geschichte|gedicht|roman|märchen|fabel|szene|cuento|historia|poema|novela|fábula|"
    r"histoire|conte|poème|roman|racconto|storia|favola|conto|história|verhaal|opowiadanie)"
    r"[ ](?:in which|where|that|about|of|who|whose|in (?:der|dem)|über|von|en (?:la|el) (?:que|"
    r"cual)|"
    r"donde|sobre|de|où|dans (?:laquelle|lequel)|qui|sur|in cui|dove|su|em que|waarin|over|o)\b"
    r"|(?:故事|小说|小說|诗|物語)",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"""
    \W*+
    (?: (?:hi|hello|hey|dear|hallo|hola|bonjour) (?:\ [^\s,]{1,20})? ,?\s )?
    (?: (?:and|also|then|finally|next|in\ addition|additionally|besides|oh|
        und|außerdem|dann|zusätzlich|ferner|y|también|además|et|aussi|de\ plus|par\ ailleurs|
        और|साथ\ ही|كما|كذلك) ,?\s )*
    (?: please | (?:could|can|would|will)\ (?:you|someone|somebody|anyone) |
        i(?:\ also)?\ need | we(?:\ also)?\ need |
        i(?:'d|’d|\ would)\ (?:also\ )?like\ (?:you\ to|to\ have) | i\ want\ you\ to |
        don['’]t\ forget\ to | make\ sure | it\ would\ be\ (?:great|nice|good|helpful)\ if |
        bitte | (?:könntest|kannst|würdest)\ du | (?:könnten|können|würden)\ sie |
        (?:könnt|könntet)\ ihr |
        (?:ich|wir)\ (?:brauche|brauchen|bräuchte|bräuchten) | (?:brauche|bräuchte)\ ich |
        por\ favor | puedes | podrías | puede | podría | podéis | pueden | necesito | necesitamos |
        merci\ de | (?:peux|pourrais)-tu | (?:pouvez|pourriez)-vous | veuillez |
        j['’]ai(?:\ aussi)?\ besoin | nous\ avons\ besoin | il\ (?:nous\ )?faudrait |
        कृपया | क्या\ आप | मुझे | من\ فضلك | و?يرجى | و?الرجاء | و?أرجو | و?نرجو | هل\ يمكنك
    ) (?=[\s,،])
    | \W*+ (?:也|还|另外|同时|此外|最后|然后|，|,)* (?:请|麻烦|能否|能不能|可否|帮我|請|麻煩)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REQUEST_END = re.compile(
    r"(?:ください|下さい|(?<!よろしく)お願いします|(?<!よろしく)お願いいたします|いただけますか|"
    r"もらえますか|ほしいです)\W*\Z"
)
# Beside a request, they begin the next one.
_ALSO = re.compile(
    r"\W*+(?:and )?(?:also|then|after that|in addition|additionally|besides|finally|lastly|"
    r"one more thing|"
    r"außerdem|zusätzlich|ferner|dann|danach|zuletzt|und bitte|además|también|luego|por último|"
    r"aussi|de plus|par ailleurs|ensuite|enfin|साथ ही|इसके अलावा|كما|كذلك|وأيضا|وأيضاً)(?=[\s,،:])"
    r"|\W*+(?:另外|此外|同时|还有|最后|また|さらに|それから|最後に)",
    re.IGNORECASE,
)
_SEMICOLON = re.compile(r"[;；؛]\s*+")
_SENTENCE = re.compile(r"[.!?。！？।؟۔]++[\s\"'”’)]*+|\n\s*+")

# The head of a message in a copied chat: “[09:14] maria:”, “12/03/2025, 09:14 - Maria:”.
_CHAT_HEAD = re.compile(
    r"[ \t]*+\[?(?:\d[\d./-]{5,9},?[ T])?\d{1,2}:\d\d(?::\d\d)?(?:[ \u202f]?[AaPp][Mm])?\]?"
    r"[ ]?[-–]?[ ]?<?[\w .@-]{1,40}>?:[ ]++"
)

_GREETING = re.compile(r"\A[^\n.?]{1,60}[,!，！]\n\s*")


@dataclass(frozen=True, slots=True)
class _Step:
    """A clause that begins a step: from where, and where its text begins after its first words."""

    start: int
    begin: int
    kind: str


def sequence_parts(text: str, copy: str, *, most: int) -> list[str]:
    """The texts of the steps or requests in prose; none if there are not two at least.

    `copy` is the text with code and quotes masked; positions are found in it.
    """
    steps = _steps(copy)
    if not _is_sequence(steps, text):
        steps = _requests(copy)
        steps = steps if len(steps) > 1 else _by_semicolon(copy, text)
        return _cut(text, steps[:most]) if len(steps) > 1 else []
    first = next((index for index, step in enumerate(steps) if step.kind == "first"), None)
    if first is None:
        return _cut(text, [_Step(0, 0, "first"), *steps][:most])
    return _cut(text, steps[first:][:most])


def _clauses(copy: str, boundary: re.Pattern[str]) -> list[tuple[int, int]]:
    matches = list(islice(boundary.finditer(copy), _CLAUSES_MAX))
    starts = [0, *(match.end() for match in matches)]
    return list(zip(starts, [*(match.start() for match in matches), len(copy)], strict=True))


def _steps(copy: str) -> list[_Step]:
    steps: list[_Step] = []
    is_conditional = False
    for start, end in _clauses(copy, _BOUNDARY):
        match = _MARK.match(copy, start, end)
        is_next = match and (not is_conditional or _is_first(match))
        if match and is_next and not (len(copy) <= _STORY_MAX and _is_told(copy, match)):
            steps.append(_Step(start, match.end(), _kind(match)))
        if start < end:
            is_conditional = bool(_CONDITION.match(copy, start, end))
    # What a first word does not begin is a sequence only if the other words are clear.
    if not any(step.kind == "first" for step in steps):
        steps = [step for step in steps if step.kind in ("next", "last")]
    return steps


def _is_told(copy: str, match: re.Match[str]) -> bool:
    """Whether this is a step of a story that the same sentence asks for."""
    sentence = copy[max(match.start() - _LONG, 0) : match.end()]
    return bool(_STORY.search(_SENTENCE.split(sentence)[-1]))


def _is_first(match: re.Match[str]) -> bool:
    return _kind(match) == "first"


def _kind(match: re.Match[str]) -> str:
    kind = (match.lastgroup or "").rstrip("23")
    if kind != "inside":
        return kind
    word = match["inside"].lower()
    return "first" if word in order_words.FIRST.split("|") else "next"


def _is_sequence(steps: list[_Step], text: str) -> bool:
    kinds = [step.kind for step in steps]
    if "first" in kinds:
        return len(kinds) > kinds.index("first") + 1
    return len(kinds) > 1 or (len(kinds) == 1 and _is_one_sentence(text))


def _is_one_sentence(text: str) -> bool:
    text = _GREETING.sub("", text.strip())
    return len(text) <= _LONG and not re.search(r"[.!?。！？।]\s*\S|\n", text)


def _requests(copy: str) -> list[_Step]:
    steps: list[_Step] = []
    for start, end in _clauses(copy, _SENTENCE):
        if head := _CHAT_HEAD.match(copy, start, end):
            start = head.end()
        is_request = _REQUEST.match(copy, start, end) or _REQUEST_END.search(
            copy, max(end - 20, start), end
        )
        if is_request or (steps and _ALSO.match(copy, start, end)):
            steps.append(_Step(start, start, "request"))
    return steps


def _by_semicolon(copy: str, text: str) -> list[_Step]:
    """The clauses of a single sentence that has at least two semicolons."""
    if not _is_one_sentence(text):
        return []
    clauses = _clauses(copy, _SEMICOLON)
    steps = [_Step(start, start, "clause") for start, end in clauses if start < end]
    return steps if len(steps) > 2 else []


def _cut(text: str, steps: list[_Step]) -> list[str]:
    """The texts of the steps; the text before the first one belongs to it."""
    ends = [*(step.start for step in steps[1:]), len(text)]
    texts = [
        text[step.begin : end].strip(" \t\n,;，；、،؛").rstrip(".。।")
        for step, end in zip(steps, ends, strict=True)
    ]
    if not all(texts):
        return []
    before = text[: steps[0].start].strip()
    return [f"{before}\n{texts[0]}" if before else texts[0], *texts[1:]]
