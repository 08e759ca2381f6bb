"""Leave out of a mail what its sender did not write for this task: heads, replies, signatures."""

import re

_HEAD_LINE = re.compile(
    r"(?:from|to|cc|bcc|date|sent|subject|reply-to|von|an|gesendet|datum|betreff|de|para|enviado|"
    r"fecha|asunto|à|envoyé|objet|data|发件人|收件人|发送时间|日期|主题|抄送|差出人|宛先|日時|"
    r"件名|送信日時|"
    r"प्रेषक|विषय|दिनांक|من|إلى|الموضوع|التاريخ)[ \t\u00a0]?[:：][^\n]*+",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\n(?=[ \t]*+[-fbwam转転 ])[ \t]*+-{0,20}+[ ]?(?:forwarded message|begin forwarded message|"
    r"weitergeleitete nachricht|"
    r"anfang der weitergeleiteten nachricht|mensaje reenviado|message transféré|转发的邮件|"
    r"転送されたメッセージ)[ ]?:?-{0,20}+[ \t]*+$",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(
    r"\n(?=[ \t]*+[-_*fvdoaeilо发寄差])(?:[ \t]*+-{2,20}+[ ]?(?:original message|"
    r"original appointment|ursprüngliche nachricht|"
    r"mensaje original|message d'origine|message d’origine|原始邮件|元のメッセージ)"
    r"[ ]?-{2,20}+[ \t]*+"
    r"|_{20,}+[ \t]*+"
    # Outlook's head of the mail below: a sender, a time, and soon a subject.
    r"|[ \t]*+\*?(?:from|von|de|da|van|od|от|från|发件人|寄件者|差出人)[ \u00a0]?[:：]"
    r"[^\n]*+\n[ \t]*+\*?(?:sent|date|gesendet|datum|enviado(?: el)?|fecha|envoyé|inviato|data|"
    r"verzonden|wysłano|"
    r"отправлено|дата|skickat|发送时间|寄件日期|送信日時|日時)[ \u00a0]?[:：][^\n]*+"
    r"(?:\n[^\n]{1,500}){0,3}?\n[ \t]*+\*?(?:subject|betreff|asunto|objet|assunto|oggetto|"
    r"onderwerp|"
    r"temat|тема|ämne|主题|主旨|件名)[ \u00a0]?[:：][^\n]*+"
    r"|(?:on|am|el|le|em|il)[ ][^\n]{4,120}[ ](?:wrote|schrieb[^\n:]{0,80}|escribió|a écrit|"
    r"écrit|escreveu|ha scritto)[ \u00a0]?:[ \t]*+)$",
    re.IGNORECASE | re.MULTILINE,
)
# Each reply has one of these; looking for them takes a hundredth of the time.
_SIGNS_OF_REPLY = (":", "：", "--", "__")
# The same, of languages in which the name comes first.
_WROTE = ("写道", "さんは書きました", "のメール")
_REPLY_OF = re.compile(rf"\n[^\n]{{4,80}}(?:{'|'.join(_WROTE)})[:：][ \t]*+$", re.MULTILINE)
_SIGNATURE = re.compile(r"^--[ \t]?$", re.MULTILINE)
_FORMULA = (
    r"(?:(?:many |best |kind |warm |with )?(?:thanks|thank you|thx|regards|wishes|cheers|sincerely)"
    r"(?: in advance| a lot| so much)?|best|"
    r"(?:viele |liebe |beste |schöne |mit freundlichen |freundliche )?grüße?n?|mfg|lg|vg|"
    r"(?:vielen |besten |herzlichen )?dank(?: im voraus)?|danke(?: im voraus| dir| ihnen)?|"
    r"(?:muchas )?gracias(?: de antemano)?|(?:un )?saludos?(?: cordiales)?|atentamente|"
    r"merci(?: d['’]avance| beaucoup)?|cordialement|bien à (?:toi|vous)|"
    r"谢谢[你您]?|多谢|此致|祝好|よろしくお願い(?:いた)?します|ありがとうございます|敬具|"
    r"धन्यवाद|सादर|شكراً?|شكرا جزيلا|مع التحية|تحياتي)"
)
_CLOSING = re.compile(
    rf"^[ \t]*+{_FORMULA}(?:(?:,| and| und| y| et)? {_FORMULA})?[ \t]*+[,.!，。！]?[ \t]*+$",
    re.IGNORECASE | re.MULTILINE,
)
# A closing formula stands before a name of a few short lines, and not in the middle of a text.
_NAME_LINES = 6
_NAME_LENGTH = 60
_HEAD_LINES_MAX = 20
_QUOTED_LINE = re.compile(r"^[ \t]*+>[^\n]*+\n?", re.MULTILINE)
# Fewer words than these below a quoted mail, such as “Thanks, Ann”, ask for nothing.
_WORDS_MIN, _CHARACTERS_MIN = 6, 30


def body_of_mail(text: str) -> str:
    """The text without heads of mails, the quoted mail below a reply, and signatures.

    Text that is no mail is returned as it is.
    """
    text = _without_head(text)
    if forwarded := _first_line(_FORWARDED, text):
        before, below = text[: forwarded[0]], text[forwarded[1] :]
        text = f"{_without_signature(before)}\n{_without_head(below)}"
    if reply := _reply(text):
        before, below = _without_signature(text[: reply[0]]), text[reply[1] :]
        # A mail without words of its own stands for the one below it.
        text = before if before.strip() else _own_words(below)
    return _without_signature(text)


def _reply(text: str) -> tuple[int, int] | None:
    if not any(sign in text for sign in _SIGNS_OF_REPLY):
        return None
    found = _first_line(_REPLY, text)
    if any(word in text for word in _WROTE):
        of_name = _first_line(_REPLY_OF, text)
        return min(filter(None, (found, of_name)), default=None)
    return found


def _first_line(line: re.Pattern[str], text: str) -> tuple[int, int] | None:
    """Where the first such line begins and ends. Its pattern begins with a line feed, so that `re`
    looks at nothing else in a line."""
    found = line.search(f"\n{text}")
    return (found.start(), found.end() - 1) if found else None


def _own_words(text: str) -> str:
    """What stands below or between the quoted lines; all of it if that is next to nothing."""
    if _QUOTED_LINE.search(text):
        own = _without_signature(_QUOTED_LINE.sub("", text))
        if len(own.split()) >= _WORDS_MIN or len(own.strip()) >= _CHARACTERS_MIN:
            return own
    return _without_head(_unquoted(text))


def _unquoted(text: str) -> str:
    return re.sub(r"^[ \t]*+>[ ]?", "", text, flags=re.MULTILINE)


def _without_head(text: str) -> str:
    """The text without two or more lines of a mail's head at its beginning."""
    lines = text.lstrip("\n").split("\n", _HEAD_LINES_MAX)
    count = 0
    while count < len(lines) - 1 and _HEAD_LINE.fullmatch(lines[count].strip(" \t*")):
        count += 1
    return "\n".join(lines[count:]) if count > 1 else text


def _without_signature(text: str) -> str:
    signature = _SIGNATURE.search(text) if "--" in text else None
    if signature and text[: signature.start()].strip():
        text = text[: signature.start()]
    for match in list(_CLOSING.finditer(text, max(len(text) - 1_000, 0)))[-1:]:
        after = [line.strip() for line in text[match.end() :].split("\n") if line.strip()]
        is_name = len(after) <= _NAME_LINES and all(map(_is_name, after))
        if is_name and text[: match.start()].strip():
            return text[: match.start()]
    return text


def _is_name(line: str) -> bool:
    return len(line) <= _NAME_LENGTH and not line.startswith(("-", "*", "#", "1", "["))
