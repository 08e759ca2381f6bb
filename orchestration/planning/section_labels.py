"""Headings that say whether the list below them is the work or only what to know about it."""

import re
from functools import lru_cache

# Only what is below such a heading is the work, if a text has one.
_WORK = """
what (?:we|i|you) need(?: to do| done)?|what needs to be done|what is needed|
to do|to-do|todo|todos|to dos|tasks?|task list|sub-?tasks?|action items?|actions?|next steps?|
steps|work|work items?|plan|the plan|implementation plan|what to do|work plan|agreed actions?|
follow[- ]ups?|open|open (?:items|tasks|points)|to be done|remaining|still to do|
doing|in arbeit|en curso|en cours|进行中|deliverables|
requests?|instructions|next|in progress|aufgaben|aufgabenliste|zu tun|zu erledigen|offen|
offene (?:punkte|aufgaben)|nächste schritte|schritte|maßnahmen|plan|arbeitsschritte|vorgehen|
tareas|por hacer|pendientes?|próximos pasos|pasos|acciones|plan|plan de trabajo|pasos a seguir|
tâches|à faire|actions|prochaines étapes|étapes|plan|plan d.action|reste à faire|任务|任務|
任务列表|待办|待办事项|待辦事項|步骤|步驟|下一步|行动项|工作内容|计划|タスク|作業|作業内容|
やること|手順|次のステップ|アクションアイテム|todoリスト|宿題|今後の対応|कार्य|काम|
करने योग्य कार्य|अगले कदम|कदम|चरण|المهام|مهام|المهام المطلوبة|الخطوات|خطوات|
الخطوات التالية|المطلوب|tarefas|a fazer|próximos passos|passos|compiti|attività|da fare|
prossimi passi|passaggi|taken|
actiepunten|te doen|volgende stappen|stappen|zadania|do zrobienia|następne kroki|kroki|
задачи|список задач|сделать|что сделать|следующие шаги|шаги|план|завдання|зробити|що зробити|
наступні кроки|кроки|görevler|yapılacaklar|sonraki adımlar|adımlar|משימות|לביצוע|צעדים הבאים|
할 일|할일|작업|다음 단계|단계|công việc|việc cần làm|các bước|bước tiếp theo|tugas|langkah|
langkah selanjutnya|daftar tugas|uppgifter|att göra|nästa steg|opgaver|oppgaver|úkoly|
কাজ|করণীয়|পরবর্তী ধাপ|ধাপ
"""
_CONTEXT = """
context|background|notes?|remarks?|summary|overview|description|motivation|introduction|goals?|
non[- ]?goals|objectives?|purpose|why|problem|problem statement|about|scope|out of scope|
assumptions?|constraints?|requirements?|rules|guidelines|style|style guide|tone|
criteria|acceptance criteria|definition of done|success criteria|environment|versions?|
system info|steps to reproduce|how to reproduce|to reproduce|reproduction|repro steps|
reproduction steps|expected|expected behaviou?r|actual|actual behaviou?r|current behaviou?r|
observed behaviou?r|expected results?|actual results?|logs?|log output|output|screenshots?|
additional context|additional information|references?|links?|resources|see also|related|
related issues|attendees|participants|present|absent|apologies|agenda|discussion|discussed|
decisions?|decided|minutes|done|completed|finished|closed|already done|what we have|
what is done|faq|risks?|open questions|dependencies|prerequisites|glossary|examples?|
facts?|known facts|what we know|given|current state|current situation|situation|status quo|
statistics|
is your feature request related to a problem.{0,60}|
describe (?:the )?(?:bug|problem|issue|alternatives.{0,40})|alternatives|
alternatives you.ve considered|types? of changes?|kind of change|change type|severity|priority|
affected (?:versions?|components?)|
what happened|what did you expect.{0,30}|how (?:has|was) this (?:been )?tested|how to test|
drawbacks|trade-?offs|unresolved questions|prior art|rationale|before submitting|
before you submit|pre-?flight checklist|checks before submitting|preflight|
code of conduct|contact|people|team|roles|budget|timeline|deadlines?|data|input|inputs|files|
format|audience|please note|keep in mind|please keep in mind|remember|important|hints?|tips|
alternatives considered|impact|tools|keywords|changelog|change log|unreleased|kontext|
hintergrund|hinweise?|notizen|anmerkungen|beschreibung|zusammenfassung|überblick|ziele?|zweck|
anforderungen|randbedingungen|rahmenbedingungen|umgebung|voraussetzungen|akzeptanzkriterien|
schritte zum reproduzieren|reproduktion|erwartetes verhalten|tatsächliches verhalten|teilnehmer|
teilnehmende|anwesend|tagesordnung|diskussion|besprochen|beschlüsse|entscheidungen|erledigt|
fertig|abgeschlossen|links|quellen|beispiele?|nicht enthalten|bitte beachten|wichtig|contexto|
antecedentes|notas?|descripción|resumen|objetivos?|requisitos|entorno|criterios de aceptación|
asistentes|participantes|orden del día|decisiones|hecho|hechas|completado|completadas|
referencias|enlaces|ejemplos?|fuera de alcance|pasos para reproducir|importante|contexte|
remarques?|description|résumé|objectifs?|exigences|contraintes|environnement|
critères d.acceptation|participants|présents|ordre du jour|décisions|fait|terminé|terminées|
références|liens|exemples?|hors périmètre|étapes pour reproduire|prérequis|背景|说明|說明|备注|
備註|注意|注意事项|要求|目标|目標|概述|描述|环境|验收标准|参会人员|与会者|议程|讨论|决定|决议|
已完成|完成|参考|链接|例子|示例|复现步骤|概要|目的|備考|前提|前提条件|要件|環境|受け入れ条件|
参加者|出席者|議題|決定事項|完了|完了済み|参考|リンク|例|再現手順|संदर्भ|पृष्ठभूमि|नोट|टिप्पणी|
विवरण|उद्देश्य|लक्ष्य|आवश्यकताएँ|उपस्थित|निर्णय|पूर्ण|पूरा हुआ|ध्यान दें|السياق|خلفية|الخلفية|
ملاحظات|ملاحظة|الوصف|الهدف|الأهداف|المتطلبات|البيئة|الحضور|القرارات|تم|المنجز|مكتمل|المراجع|
روابط|contesto|premessa|sfondo|note|fatto|completato|partecipanti|decisioni|contexto|concluído|
feito|achtergrond|opmerkingen|aanwezig|besluiten|gedaan|afgerond|tło|kontekst|uwagi|obecni|
decyzje|zrobione|gotowe|контекст|фон|предыстория|примечания?|заметки|участники|решения|сделано|
готово|выполнено|передумова|примітки|учасники|рішення|зроблено|bağlam|arka plan|notlar|
katılımcılar|kararlar|tamamlanan(?:lar)?|bitti|רקע|הערות|משתתפים|החלטות|בוצע|הושלם|배경|참고|비고|
참석자|결정 사항|완료|bối cảnh|ghi chú|thành phần|quyết định|đã xong|hoàn thành|latar belakang|
catatan|peserta|keputusan|selesai|bakgrund|deltagare|beslut|klart|প্রেক্ষাপট|পটভূমি|নোট|সম্পন্ন
"""
# What a line ends with if it is an order, and the list below is a part of what it asks for:
# “Write an invitation with this agenda:”, “Keep these rules in mind:”.
_GIVEN = re.compile(
    r"\b(?:(?:these|this|the following) (?:agenda|rules?|guidelines|constraints|restrictions|"
    r"criteria|format|"
    r"structure|tone|style|ingredients|facts|principles|keywords|conditions|limits)"
    r"|(?:with|have|has|having|contain(?:s|ing)?|includ(?:e|es|ing)|cover(?:s|ing)?) "
    r"(?:these|the following) (?:sections|chapters|headings|columns|fields|topics|points|elements)"
    r"|(?:diese[rnms]?|folgende[rnms]?) (?:tagesordnung|regeln|vorgaben|kriterien|format|aufbau|"
    r"zutaten|fakten|"
    r"stichworte?n?|bedingungen)"
    r"|(?:estas?|este|las? siguientes?|los siguientes) (?:reglas|orden del día|formato|criterios|"
    r"datos)"
    r"|(?:ces|cette|cet|ce|les? suivante?s?) (?:règles|ordre du jour|format|critères|consignes))"
    r"(?: in mind| in consideration| into account| ein| beachten| en cuenta|"
    r" en compte)?[ *_]*[:：]$",
    re.IGNORECASE,
)
# The list below goes on with what the line says of a thing: “Write a script that”, “It must:”.
_DESCRIBES = re.compile(
    r"(?:(?<!sure)(?<!verify)(?<!check)(?<!ensure)(?<!confirm)(?<!test) (?:that|which)|, (?:der|"
    r"die|das)|\b(?:it|the (?:script|app|program|tool|page|site|"
    r"website|function|"
    r"service|system|form|report|letter|text|post|article|document|query|class|api|bot|dashboard|"
    r"module|"
    r"library|game|user|result|output|answer|summary))(?: (?:should|must|can|will|needs to|has to))"
    r"(?: be able to)?)[ *_]*[:：]?$",
    re.IGNORECASE,
)
# Other questions have their answers below them.
_ASKS_FOR_WORK = re.compile(
    r"\b(?:do|done|next|left|missing|open|tun|offen|fehlt|hacer|falta|faire|reste)\b", re.IGNORECASE
)
# An order about one list as a whole: “Rewrite the following list in a friendlier tone:”.
_LIST_AS_A_WHOLE = re.compile(
    r"(?:please |kindly |can you |could you |bitte )?(?:summari[sz]e|translate|proofread|rewrite|"
    r"rephrase|paraphrase|"
    r"shorten|explain|correct|edit|sort|reorder|rank|alphabeti[sz]e|convert|turn|format|improve|"
    r"criticize|critique|"
    r"übersetzen?|übersetze|kürze|sortiere|traduce|ordena|traduis|traduisez|trie[zr]?)"
    r" (?:the following|this|these|the|die folgende|diese|esta|la siguiente|cette|la) "
    r"(?:[\w-]+ )?(?:list|plan|agenda|recipe|schedule|checklist|outline|instructions|minutes|"
    r"poem|changelog|"
    r"release notes|liste|anleitung|tagesordnung|lista|receta|recette)\b[^\n]*[:：]$",
    re.IGNORECASE,
)
# Context beside an order, and the work itself in a text that says nothing else to do.
_REQUIREMENTS = re.compile(
    r"(?:(?:functional|product|user|business) )?requirements?|user stories|scope|in scope|"
    r"(?:funktionale )?anforderungen|requisitos(?: funcionales)?|exigences|要求|需求|功能需求|要件|"
    r"機能要件|المتطلبات|आवश्यकताएँ|требования|requisiti|wymagania|eisen|gereksinimler",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"(?:\W*(?:step|phase|part|task|stage|milestone|schritt|aufgabe|teil|etappe|paso|fase|tarea|"
    r"etapa|étape|tâche|partie|ステップ|フェーズ|手順|步骤|阶段|任务|चरण|कदम|المرحلة|الخطوة)\b"
    r"|\d{1,3}[.):：]|第.{1,3}[步阶部章]|[一二三四五六七八九十]+、)",
    re.IGNORECASE,
)
# Vowel signs of Hindi, Bengali and Arabic are no word characters for `re`.
_SIGNS = "\u0900-\u09ff\u064b-\u0652"
_DECORATION = re.compile(rf"^(?:(?![{_SIGNS}])[\W\d_])++|(?:(?![{_SIGNS}])[\W_])++$")
_BRACKETED = re.compile(r"\s*+[(（\[][^)）\]]*+[)）\]]\s*+$")
_VERSION = re.compile(r"\W*v?\d+\.\d+(?:\.\d+)?\b|\W*\d{4}-\d\d-\d\d\b", re.IGNORECASE)
LENGTH_MAX = 80


class _Titles:
    """The titles that words with and without patterns stand for; most are found in a set."""

    def __init__(self, words: str) -> None:
        alternatives = re.split(r"\|(?![^()]*\))", words.replace("\n", ""))
        plain = [each for each in alternatives if not set(each).intersection(r"()[]{}.*+\\")]
        # “tasks?” stands for two words.
        self.plain = {re.sub(r".\?", "", each) for each in plain}
        self.plain |= {each.replace("?", "") for each in plain}
        self.pattern = re.compile("|".join(set(alternatives).difference(plain)), re.IGNORECASE)

    def has(self, title: str, lowered: str) -> bool:
        """Whether the title is one of them; `lowered` is the same in lower case."""
        return lowered in self.plain or bool(self.pattern.fullmatch(title))


_WORK_TITLES, _CONTEXT_TITLES = _Titles(_WORK), _Titles(_CONTEXT)


@lru_cache(maxsize=1024)
def role_of(title: str) -> str:
    """`work` or `context` if a heading announces that, else nothing; each is asked for twice."""
    words = _words(title[:LENGTH_MAX])
    lowered = words.lower()
    if _WORK_TITLES.has(words, lowered):
        return "work"
    if _CONTEXT_TITLES.has(words, lowered) or _VERSION.match(title):
        return "context"
    return ""


def _words(title: str) -> str:
    title = title.strip(" \t*_#:：")
    if not title[-1:].isalnum():
        title = _BRACKETED.sub("", title)
    return title if title.isalpha() else _DECORATION.sub("", title)


def is_work(title: str) -> bool:
    """Whether a heading announces the work, such as “Next steps”."""
    return role_of(title) == "work"


def is_context(title: str) -> bool:
    """Whether a heading announces what to know, such as “Background”, or versions of a program."""
    return role_of(title) == "context"


def is_requirements(title: str) -> bool:
    """Whether a heading announces what a product must do."""
    return bool(_REQUIREMENTS.fullmatch(_words(title[:LENGTH_MAX])))


def is_given(line: str, *, with_letters: bool) -> bool:
    """Whether the list below this line, which may have letters, is a part of what it asks for."""
    line = line.strip()
    if with_letters and line.endswith(("?", "？")):
        return not _ASKS_FOR_WORK.search(line)
    end = line[-LENGTH_MAX:]
    return bool(_GIVEN.search(end) or _DESCRIBES.search(end) or _LIST_AS_A_WHOLE.match(line))


def is_step(title: str) -> bool:
    """Whether a heading names a step, such as “Phase 2” or “2. Compare”."""
    return bool(_STEP.match(title.strip(" \t*_#")))
