"""Texts as they are accepted: UTF-8, not too long, not empty, not binary."""

from dataclasses import dataclass

from django.conf import settings

from common.refusal import Refusal

CONTENT_TYPES = ("text/plain", "text/markdown")


@dataclass(kw_only=True, eq=False)
class TextTooLarge(Refusal):
    """The text is longer than `BUTLER_ESTIMATE_BYTES_MAX`."""

    bytes: int
    bytes_max: int

    def sentence(self) -> str:
        return (
            f"The text has {self.bytes:,} bytes; at most {self.bytes_max:,} are accepted. Send a "
            "shorter text."
        )


@dataclass(eq=False)
class TextBinary(Refusal):
    """The text has NUL bytes: it is a program, a picture, UTF-16."""

    def sentence(self) -> str:
        return "The text has NUL bytes, so it is binary. Send plain text or Markdown."


@dataclass(kw_only=True, eq=False)
class TextNotUtf8(Refusal):
    """The text has another encoding, or none."""

    position: int

    def sentence(self) -> str:
        return f"The text is not UTF-8: byte {self.position} cannot be decoded. Save it as UTF-8."


@dataclass(eq=False)
class TextEmpty(Refusal):
    """The text has nothing but white space."""

    def sentence(self) -> str:
        return "The text is empty. Describe the work to be estimated."


@dataclass(kw_only=True, eq=False)
class UnsupportedTextType(Refusal):
    """The media type of an uploaded file is neither plain text nor Markdown."""

    content_type: str
    supported: list[str]

    def sentence(self) -> str:
        return (
            f"A file of type {self.content_type or 'unknown'} cannot be estimated. Send "
            f"{' or '.join(self.supported)}."
        )


def check_text(raw: bytes) -> str:
    """Return `raw` as text, without a byte order mark; raise the refusal that applies otherwise.

    Text from JSON comes as `text.encode("utf-8", "surrogatepass")`: half a surrogate pair, which
    JSON can spell, is then refused as `text_not_utf8`. Refusals: TextTooLarge, TextBinary,
    TextNotUtf8, TextEmpty.
    """
    if len(raw) > settings.ESTIMATE_BYTES_MAX:
        raise TextTooLarge(bytes=len(raw), bytes_max=settings.ESTIMATE_BYTES_MAX)
    if b"\0" in raw:
        raise TextBinary()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextNotUtf8(position=error.start) from None
    if not text or text.isspace():
        raise TextEmpty()
    return text


def check_content_type(content_type: str) -> None:
    """Raise UnsupportedTextType unless an upload of `content_type` can be estimated.

    Parameters such as `; charset=utf-8` are not looked at: `check_text` sees what is really there.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in CONTENT_TYPES:
        raise UnsupportedTextType(
            content_type=media_type[:100],
            supported=list(CONTENT_TYPES),
        )
