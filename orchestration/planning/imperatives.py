"""Find the orders of a text whose clauses all have a verb of work, in many languages.

“Markt recherchieren, Daten auswerten und Bericht schreiben” is three parts. If a clause has no verb
that is known, sentences are tried instead of clauses; then the text is not divided.
"""

import re
from itertools import dropwhile

_LENGTH_MAX = 4_000
_ENGLISH = (
    "add|aggregate|align|analy[sz]e|append|apply|approve|archive|arrange|ask|assemble|assess|"
    "assign|attach|backfill|build|buy|calculate|cancel|categori[sz]e|choose|classify|clean|"
    "collate|collect|combine|compare|compile|complete|compute|configure|confirm|convert|"
    "correct|create|cross-check|debug|decide|deduplicate|delete|deploy|describe|determine|"
    "develop|download|draw|edit|email|e-mail|enrich|evaluate|examine|execute|explain|explore|"
    "export|extract|fetch|finali[sz]e|find|fix|forward|gather|generate|get|give|highlight|"
    "identify|implement|import|improve|inform|inspect|install|investigate|invite|locate|make|"
    "merge|migrate|negotiate|normali[sz]e|notify|open|organi[sz]e|parse|pay|prepare|"
    "prioriti[sz]e|produce|proofread|propose|publish|read|recommend|reconcile|refactor|"
    "remind|remove|rename|render|renew|replace|resolve|restore|review|revoke|rewrite|rotate|"
    "scrape|select|send|simulate|submit|suggest|summari[sz]e|tell|translate|triage|update|"
    "upgrade|upload|validate|verify|visit|visuali[sz]e|write|allocate|announce|anonymi[sz]e|"
    "automate|clear|"
    "compose|connect|decommission|deliver|disable|discuss|distribute|enable|encrypt|enter|feed|"
    "hire|launch|"
    "mow|obtain|pack|paint|promote|provision|purchase|rebuild|register|reproduce|reset|restart|"
    "retrieve|"
    "rinse|serve|simplify|stir|switch|tidy|trim|unblock|uninstall|unpack|vacuum|wash|wipe|"
    "withdraw|wrap"
)
# Names of things as well, unless a word such as “the” follows.
_ENGLISH_NOUNS = (
    "answer|audit|benchmark|book|call|check|close|code|contact|copy|count|crawl|design|"
    r"document|draft|estimate|figure(?![ ]+\d)|file|fill|filter|flag|forecast|format|group|hand|"
    "interview|issue|join|label|list|load|look|mail|map|mark|match|measure|model|monitor|"
    "move|note|order|outline|patch|pick|ping|plan|plot|post|present|print|profile|pull|push|"
    "put|rank|record|release|repair|reply|report|request|research|run|save|scan|schedule|"
    "search|set|share|ship|show|sign|sketch|sort|split|store|sum|survey|tag|test|total|track|"
    "train"
)
_NOUN_OR_ORDER = (
    rf"(?:{_ENGLISH_NOUNS})[ ]+(?:the|an?|each|every|all|any|anything|everything|everyone|it|them|"
    r"this|that|these|those|our|my|your|its|their|his|her|me|us|out|up|how|what|which|who|why|if|"
    r"whether|\d)\b"
)
_GERMAN = (
    "recherchier|analysier|prüf|überprüf|vergleich|schreib|erstell|sammel|sammle|bereinig|auswert|"
    "werte|zusammenfass|zusammenstell|fass|übersetz|test|plan|entwerf|entwirf|bau|entwickel|"
    "entwickle|veröffentlich|send|schick|verschick|bestell|such|find|liste|auflist|sortier|kündig|"
    "dokumentier|implementier|beheb|korrigier|präsentier|vorbereit|bereite|lies|les|berechn|"
    "aktualisier|zähl|formulier|ordne|ordn|ruf|anruf|buch|hol|einhol|"
    "markier|reservier|notier|lösch|entfern|ersetz|ergänz|kopier|bestätig|beantwort|druck|lad|"
    "herunterlad|"
    "unterschreib|benachrichtig|informier|erklär|kürz|änder|öffn|wähl|zeichn|stell"
)
_ROMANCE = (
    # Spanish
    "investig|analiz|escrib|redact|revis|recopil|recog|compar|compil|prepar|env[ií]|traduc|traduzc|"
    "resum|crea|diseñ|desarroll|prueb|prob|public|verific|corrig|correg|busc|clasific|organiz|"
    "document|implement|calcul|actualiz|limpi|reún|reun|comprueb|comprob|haz|elabor|extra|"
    "reserv|llam|marca|elimin|descarg|cancel|añad|agreg|seleccion|guarda|imprim|"
    # French
    "recherch|analys|rédig|écri|prépar|envo|tradui|résum|cré|conc[eç]|développ|test|publi|"
    "vérifi|cherch|list|class|organis|collect|rassembl|trouv|reli|nettoy|fais|faire|extrai|"
    "réserv|noter|notez|appel|achet|supprim|ajout|envoy|télécharg|remplac|choisi|mettre|mets|"
    "mettez|"
    # Portuguese and Italian
    "pesquis|analis|escrev|compil|ricerc|scriv|confront|raccogli|controll|traduc|prepar"
)
_ENDINGS = (
    r"(?:a|e|o|en|an|ar|er|ir|re|ez|s|t|iere|ieren|ons|ad|ed|id|que|qu|ue|uer|yer|ye|is|i|va)?"
)
_CHINESE = (
    "调研|研究|分析|收集|搜集|整理|撰写|编写|写|翻译|测试|部署|总结|检查|核对|比较|对比|设计|"
    "开发|实现|审核|审查|发送|"
    "发布|修复|准备|制作|制定|生成|清洗|汇总|列出|查找|联系|更新|创建|下载|导出|导入|起草|調研|"
    "蒐集|撰寫|編寫|寫|"
    "翻譯|測試|總結|檢查|比較|設計|開發|發送|準備"
)
_ARABIC = (
    "ابحث|حلل|حلّل|اكتب|راجع|قارن|اجمع|أرسل|ارسل|ترجم|لخص|لخّص|صمم|طور|اختبر|انشر|تحقق|أنشئ|انشئ|"
    "نظف|"
    "أعد|اعد|حدد|احسب|جهز|استخرج|صحح|رتب|اقرأ|اتصل|تواصل|حدّث"
)
_HINDI = (
    "करें|करो|करना|कीजिए|लिखें|लिखो|लिखना|बनाएँ|बनाएं|बनाओ|बनाना|भेजें|भेजो|जाँचें|जांचें|देखें|"
    "निकालें|हटाएँ|हटाएं|डालें|"
    "खोजें|पढ़ें|गिनें|चुनें|दें|लें|जोड़ें|मिलाएँ|मिलाएं|ढूँढें"
)
_JAPANESE = (
    "し|して|する|した|書く|書き|書いて|作る|作り|作って|作成|送る|送り|送って|まとめる|まとめ|"
    "まとめて|集める|集め|集めて|"
    "確認|調べる|調べ|調べて|比べる|比べ|比べて|読む|読み|読んで|翻訳|直す|直し|直して"
)
_ORDER = re.compile(
    rf"""
    (?: (?:{_GERMAN}) (?:e|en|n|t)? \b
      | (?:{_ROMANCE}) {_ENDINGS} \b
      | (?:{_CHINESE}) \w
      | و?(?:{_ARABIC}) \b
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GOVERNING = re.compile(
    rf"\b(?:to|that|which|who|can|could|should|must|will|may|might)[ ](?:{_ENGLISH}|"
    rf"{_ENGLISH_NOUNS})\b"
    r"|\bby[ ]\w+ing\b",
    re.IGNORECASE,
)
# What may stand before the first order: a greeting, or a quote, which is masked.
_NO_CLAUSE = re.compile(
    r"\s*(?:x{4,}|(?:hi|hello|hey|dear|yes|ok|okay|sure|thanks|thank you)(?: \w+){0,2})\s*",
    re.IGNORECASE,
)
# “Wohnung putzen”: a noun or more, and a verb with its ending. “Wir” would be its subject.
_INFINITIVE = re.compile(
    r"\s*(?=(?:[\w-]+ )*[A-ZÄÖÜ])(?!(?i:wir|sie|ich|es|man|die|diese|alle|viele|"
    r"beide)\b)[^\W\d_][\w-]*(?: [\w-]+){0,5} "
    r"(?!(?:wollen|können|müssen|sollen|dürfen|mögen|werden|wurden|haben|hatten|waren|kamen|"
    r"sagen|meinen|eigenen|"
    r"gegen|neben|zwischen|wegen|unten|oben|hinten|innen|außen|morgen|gestern|allen|denen|ihren|"
    r"meisten|einen|keinen)\b)[a-zäöüß]{2,}(?:en|ern|eln)\W*"
)
_ENGLISH_ORDER = re.compile(
    rf"""
    (?: (?:yes|ok|okay|sure|(?:to-?[ ]?do|tasks?|action[ ]items?|next[ ]steps?):) [:–-]?
      [ ] (?:please[ ])? )?
    (?:then[ ]|finally[ ]|also[ ]|please[ ])?
    (?: (?:{_ENGLISH}) (?=[ ]+(?!(?:of|is|are|was)\b)\w) | {_NOUN_OR_ORDER} )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LAST_WORD = re.compile(
    rf"(?:\b(?:{_GERMAN})(?:en|n)|[ ](?:{_HINDI})|(?:{_JAPANESE})(?:ください|下さい)?)\W*\Z",
    re.IGNORECASE,
)
_JOINING = re.compile(
    r"(?:and|und|et|ed|y|e|sowie|और|तथा)\s+|(?:以及|并且?|和|そして)\s*(?=\S)", re.IGNORECASE
)
# What a letter or a call does: “Write to the neighbours and ask them to …”.
_IN_THE_SAME = r"(?:ask|tell|inform|remind|invite|notify)[ ](?:them|him|her)\b"
_CLAUSE = re.compile(
    r"[.!?;。！？；，、।؛،？]++\s*+|,++(?!\d)\s*+|\n\s*+|[ ](?=(?:und|y|e|et|sowie|और|तथा)[ ])"
    rf"|[ ](?=and[ ](?:then[ ])?(?!{_IN_THE_SAME})(?:(?:{_ENGLISH})[ ]|{_NOUN_OR_ORDER}))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;。！？；।؛？]++\s*+|\n\s*+")


def orders(text: str, copy: str, *, most: int) -> list[str]:
    """The texts of the orders; none if not every clause, or every sentence, is one."""
    if len(text) > _LENGTH_MAX:
        return []
    for boundary in (_CLAUSE, _SENTENCE):
        spans = _spans(copy, boundary)
        spans = list(dropwhile(lambda span: _NO_CLAUSE.fullmatch(copy, *span), spans))
        clauses = [copy[begin:end] for begin, end in spans]
        # Words of one language may be verbs in another: “test cases” are none of German.
        if len(spans) > 1 and (all(map(_is_order, clauses)) or all(map(_is_english, clauses))):
            return _texts(text, _limited(spans, most))
        # Two clauses may be a statement, “Preise steigen, Kunden fehlen”.
        if len(spans) > 2 and all(map(_is_infinitive, clauses)):
            return _texts(text, _limited(spans, most))
    return []


def _texts(text: str, spans: list[tuple[int, int]]) -> list[str]:
    """The texts of the clauses; what stands before the first, such as a quote, belongs to it."""
    texts = [text[begin:end].strip() for begin, end in spans]
    return [text[: spans[0][1]].strip(), *texts[1:]]


def _spans(copy: str, boundary: re.Pattern[str]) -> list[tuple[int, int]]:
    matches = list(boundary.finditer(copy))
    starts = [0, *(match.end() for match in matches)]
    ends = [*(match.start() for match in matches), len(copy)]
    spans = [_without_joining(copy, *span) for span in zip(starts, ends, strict=True)]
    return [(begin, end) for begin, end in spans if copy[begin:end].strip()]


def _without_joining(copy: str, begin: int, end: int) -> tuple[int, int]:
    joining = _JOINING.match(copy, begin, end)
    return (joining.end() if joining else begin), end


def _limited(spans: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most so many; the last one has the rest."""
    return [*spans[: most - 1], (spans[most - 1][0], spans[-1][1])] if len(spans) > most else spans


def _is_order(clause: str) -> bool:
    return bool(_ORDER.match(clause.lstrip()) or _LAST_WORD.search(clause))


def is_order(text: str) -> bool:
    """Whether the text begins or ends with a verb of work that this module knows."""
    return _is_order(text) or _is_english(text)


def is_governing(clause: str) -> bool:
    """Whether the verbs after this clause may go on with it: “Build a tool to extract, clean …”."""
    return bool(_GOVERNING.search(clause))


def _is_english(clause: str) -> bool:
    return bool(_ENGLISH_ORDER.match(clause.lstrip()))


def _is_infinitive(clause: str) -> bool:
    return bool(_INFINITIVE.fullmatch(clause))
