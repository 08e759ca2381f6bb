"""Find the steps of prose by the words of many languages for their order, and its requests.

“First …, then …, finally …” is a sequence; a mail with “Could you …? Please also …” has requests.
In doubtful cases, such as “if …, then …” or one “then” in a long text, the text is not divided.
"""

import re
from dataclasses import dataclass
from itertools import islice

# Of so many clauses at most; the rest of the text belongs to the last part.
_CLAUSES_MAX = 20_000
_LONG = 300

_FIRST = (
    "first|firstly|first of all|to begin with|to start with|start by|begin by|"
    "zuerst|zunächst|als erstes|erstens|zu beginn|"
    "primero|en primer lugar|para empezar|"
    "d'abord|d’abord|tout d'abord|tout d’abord|premièrement|en premier lieu|pour commencer|"
    "primeiro|em primeiro lugar|prima di tutto|per prima cosa|"
    "पहले|सबसे पहले|सर्वप्रथम|أولا|أولاً|اولا|بداية|بدايةً|في البداية|"
    "eerst|ten eerste|om te beginnen|najpierw|na początku|po pierwsze|w pierwszej kolejności|"
    "сначала|сперва|для начала|прежде всего|во-первых|спочатку|спершу|насамперед|по-перше|"
    "önce|öncelikle|ilk olarak|ilk önce|ראשית|קודם כל|תחילה|קודם|בהתחלה|"
    "প্রথমে|সবার আগে|প্রথমত|먼저|우선|첫째|첫 번째로|처음에|"
    "đầu tiên|trước tiên|trước hết|thứ nhất|pertama|pertama-tama|mula-mula|"
    "först|först och främst|först av allt|først|først og fremmest|nejprve|nejdřív|nejdříve|"
    "în primul rând|mai întâi|először|első lépésként|πρώτα|αρχικά|ensin|ensiksi|"
    "ابتدا|نخست|پہلے|سب سے پہلے"
)
# After one of these, a text that has no first word is a sequence, too, if there are two of them.
_NEXT = (
    "then|and then|after that|afterwards|afterward|after this|thereafter|subsequently|once done|"
    "dann|danach|anschließend|daraufhin|im anschluss|als nächstes|als zweites|im nächsten schritt|"
    "luego|después|a continuación|más tarde|acto seguido|entonces|"
    "ensuite|puis|après cela|après ça|par la suite|"
    "depois|em seguida|poi|dopo|successivamente|"
    "फिर|उसके बाद|इसके बाद|तत्पश्चात|ثم|وبعد ذلك|بعد ذلك|بعدها|"
    "daarna|vervolgens|daaropvolgend|następnie|a następnie|potem|później|"
    "затем|а затем|потом|после этого|далее|после чего|потім|далі|після цього|після того|"
    "sonra|daha sonra|ardından|sonrasında|bundan sonra|אחר כך|לאחר מכן|אחרי זה|ואז|"
    "তারপর|এরপর|তারপরে|এর পরে|그다음|그 다음|그런 다음|그다음에|그 다음에|다음으로|이후|그 후|이어서|"
    "sau đó|tiếp theo|kế tiếp|rồi|kemudian|setelah itu|lalu|selanjutnya|sesudah itu|"
    "därefter|derefter|deretter|poté|potom|apoi|după aceea|ezután|majd|utána|"
    "έπειτα|στη συνέχεια|μετά|sitten|sen jälkeen|سپس|بعد از آن|پھر|اس کے بعد"
)
_LAST = (
    "finally|in the end|at the end|as a last step|"
    "schließlich|abschließend|zum schluss|zuletzt|am ende|als letztes|"
    "finalmente|por último|al final|para terminar|enfin|finalement|pour finir|pour terminer|"
    "por fim|infine|"
    "अंत में|आखिर में|अन्त में|أخيرا|أخيراً|وأخيرا|وأخيراً|في النهاية|وفي النهاية|في الختام|"
    "ten slotte|tenslotte|tot slot|uiteindelijk|na koniec|wreszcie|w końcu|"
    "наконец|в конце|в завершение|напоследок|нарешті|наприкінці|насамкінець|на завершення|"
    "son olarak|en son|sonunda|לבסוף|לסיום|ולבסוף|בסוף|সবশেষে|শেষে|পরিশেষে|마지막으로|끝으로|"
    "cuối cùng|sau cùng|terakhir|akhirnya|slutligen|till sist|til slut|til slutt|til sidst|nakonec|"
    "în final|în cele din urmă|végül|τέλος|τελικά|lopuksi|در نهایت|در پایان|آخر میں"
)
# They count only after a first word, because they also mean other things.
_WEAK = (
    "next|second|secondly|third|thirdly|fourth|fourthly|lastly|last|also|zweitens|drittens|viertens|"
    "segundo|tercero|en segundo lugar|en tercer lugar|deuxièmement|troisièmement|"
    "ثانيا|ثانياً|ثالثا|ثالثاً|दूसरा|तीसरा|दूसरे|तीसरे|ten tweede|ten derde|po drugie|po trzecie|"
    "во-вторых|в-третьих|по-друге|по-третє|ikinci olarak|üçüncü olarak|שנית|שלישית|"
    "দ্বিতীয়ত|তৃতীয়ত|둘째|셋째|thứ hai|thứ ba|kedua|ketiga|för det andra|"
    "sedan|pak|אז"
)
_FIRST_UNSPACED = "首先|第一|先|まず|最初に|はじめに|初めに|ขั้นแรก|อันดับแรก|ก่อนอื่น|เริ่มจาก"
_NEXT_UNSPACED = (
    "然后|然後|接着|接著|接下来|接下來|其次|随后|隨後|之后|之後|再|第二|第三|第四|"
    "次に|その後|それから|続いて|つぎに|そして|จากนั้น|หลังจากนั้น|ต่อไป"
)
_LAST_UNSPACED = "最后|最後に|最後|最终|最終|おわりに|สุดท้าย|ท้ายที่สุด"
_INSIDE = (
    "zuerst|zunächst|dann|danach|anschließend|schließlich|zuletzt|abschließend|primero|luego|"
    "después|finalmente|d'abord|d’abord|ensuite|puis|enfin|finalement|"
    "eerst|daarna|vervolgens|ten slotte|tenslotte|tot slot|först|därefter|slutligen|"
    "først|derefter|deretter|następnie|potem|затем|потом|потім|potom|poté|nejprve|nakonec"
)
# They begin a step without a comma or “and” before them, too.
_AFTER_ANYTHING = "then|puis|ثم|وبعد ذلك|फिर|उसके बाद|इसके बाद"
_JOINING = (
    "and|und|y|e|et|sowie|och|og|oraz|и|і|та|ve|và|এবং|और|तथा|"
    r"en(?!\ (?:primer|segundo|tercer|premier|fin|son)\b)|i(?=\ (?:na|wreszcie|w|potem)\b)|"
    r"dan(?=\ (?:terakhir|akhirnya|kemudian|setelah))"
)
# A word of Arabic that ends with tanwin, whose two characters are written in either order.
_TANWIN = "اً"


def _spaced(words: str) -> str:
    """The words for a verbose pattern, which ignores spaces, grouped by their first letters."""
    rests: dict[str, list[str]] = {}
    for word in words.split("|"):
        rests.setdefault(word[0], []).append(word[1:])
    grouped = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in rests.items())
    return grouped.replace(" ", r"\ ").replace(_TANWIN, f"(?:{_TANWIN}|{_TANWIN[::-1]})")


_BOUNDARY = re.compile(
    rf"[.!?;,:。！？；，、।؛،？۔…]++\s*+|\n\s*+|[ ](?=(?:{_JOINING})[ ])"
    rf"|(?<!since)(?<!\bby)(?<!until)(?<!even)(?<!back)[ ](?=(?:{_AFTER_ANYTHING})[ ])"
    # Thai has no full stops.
    r"|[ ](?=จากนั้น|หลังจากนั้น|ต่อไป|สุดท้าย|ท้ายที่สุด)",
    re.IGNORECASE,
)
_MARK = re.compile(
    rf"""
    (?: (?:{_JOINING}) \s++ )?+
    (?:
      (?: (?P<first>{_spaced(_FIRST)}) | (?P<last>{_spaced(_LAST)})
        | (?P<next>{_spaced(_NEXT)}) | (?P<weak>{_spaced(_WEAK)}) )
      (?=[\s,،:]|\Z) [\s,،:]*+
    | (?: (?P<first2>{_FIRST_UNSPACED}) | (?P<last2>{_LAST_UNSPACED})
        | (?P<next2>{_NEXT_UNSPACED}) )
      [\s，、,：:]*+
    | (?= (?:[^\W\d_]++['’]?\ ){{1,2}}? (?P<inside>{_spaced(_INSIDE)}) \b )
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
_REQUEST = re.compile(
    r"""
    \W*+
    (?: (?:hi|hello|hey|dear|hallo|hola|bonjour) (?:\ [^\s,]{1,20})? ,?\s )?
    (?: (?:and|also|then|finally|next|in\ addition|additionally|besides|oh|
        und|außerdem|dann|zusätzlich|ferner|y|también|además|et|aussi|de\ plus|par\ ailleurs|
        और|साथ\ ही|كما|كذلك) ,?\s )*
    (?: please | (?:could|can|would|will)\ you | i(?:\ also)?\ need | we(?:\ also)?\ need |
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
    r"(?:ください|下さい|お願いします|お願いいたします|いただけますか|もらえますか|ほしいです)\W*\Z"
)
# Beside a request, they begin the next one.
_ALSO = re.compile(
    r"\W*+(?:also|then|after that|in addition|additionally|besides|finally|lastly|one more thing|"
    r"außerdem|zusätzlich|ferner|dann|danach|zuletzt|und bitte|además|también|luego|por último|"
    r"aussi|de plus|par ailleurs|ensuite|enfin|साथ ही|इसके अलावा|كما|كذلك|وأيضا|وأيضاً)(?=[\s,،:])"
    r"|\W*+(?:另外|此外|同时|还有|最后|また|さらに|それから|最後に)",
    re.IGNORECASE,
)
_SEMICOLON = re.compile(r"[;；؛]\s*+")
_SENTENCE = re.compile(r"[.!?。！？।؟۔]++[\s\"'”’)]*+|\n\s*+")

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
        if match and not (is_conditional and not _is_first(match)):
            steps.append(_Step(start, match.end(), _kind(match)))
        if start < end:
            is_conditional = bool(_CONDITION.match(copy, start, end))
    # What a first word does not begin is a sequence only if the other words are clear.
    if not any(step.kind == "first" for step in steps):
        steps = [step for step in steps if step.kind in ("next", "last")]
    return steps


def _is_first(match: re.Match[str]) -> bool:
    return _kind(match) == "first"


def _kind(match: re.Match[str]) -> str:
    kind = (match.lastgroup or "").rstrip("2")
    if kind != "inside":
        return kind
    word = match["inside"].lower()
    return "first" if word in _FIRST.split("|") else "next"


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
