"""What other apps may ask: `check_text`, `check_content_type`, `count_words`, `estimate`.

Pure, no rows.
"""

from django.conf import settings

from common.refusal import Refusal
from prediction.estimate import Estimate, count_words, estimate

__all__ = [
    "CONTENT_TYPES",
    "Estimate",
    "TextBinary",
    "TextEmpty",
    "TextNotUtf8",
    "TextTooLarge",
    "UnsupportedTextType",
    "check_content_type",
    "check_text",
    "count_words",
    "estimate",
]

CONTENT_TYPES = ("text/plain", "text/markdown")


class TextTooLarge(Refusal):
    """Longer than `settings.ESTIMATE_BYTES_MAX`."""

    code = "text_too_large"


class TextBinary(Refusal):
    """Has NUL bytes: a program, a picture, UTF-16."""

    code = "text_binary"


class TextNotUtf8(Refusal):
    """Some other encoding, or none."""

    code = "text_not_utf8"


class TextEmpty(Refusal):
    """Nothing but white space."""

    code = "text_empty"


class UnsupportedTextType(Refusal):
    """An uploaded file that says it is neither plain text nor Markdown."""

    code = "unsupported_text_type"


def check_text(raw: bytes) -> str:
    """Return `raw` as text, without a byte order mark; raise the refusal that applies otherwise.

    Text from JSON comes as `text.encode("utf-8", "surrogatepass")`: half a surrogate pair, which
    JSON can spell, is then refused as `text_not_utf8`. Refusals: TextTooLarge, TextBinary,
    TextNotUtf8, TextEmpty.
    """
    if len(raw) > settings.ESTIMATE_BYTES_MAX:
        raise TextTooLarge(
            f"The text has {len(raw):,} bytes; at most {settings.ESTIMATE_BYTES_MAX:,} are read.",
            bytes=len(raw),
            bytes_max=settings.ESTIMATE_BYTES_MAX,
        )
    if b"\0" in raw:
        raise TextBinary("The text has NUL bytes, so it is no text; send plain text or Markdown.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextNotUtf8(
            f"The text is not UTF-8: byte {error.start} cannot be read; save it as UTF-8.",
            position=error.start,
        ) from None
    if not text or text.isspace():
        raise TextEmpty("The text is empty; describe the work to be estimated.")
    return text


def check_content_type(content_type: str) -> None:
    """Raise UnsupportedTextType unless an upload of `content_type` can be estimated.

    Parameters such as `; charset=utf-8` are not looked at: `check_text` sees what is really there.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in CONTENT_TYPES:
        raise UnsupportedTextType(
            f"A file of type {media_type or 'unknown'} cannot be estimated; "
            f"send {' or '.join(CONTENT_TYPES)}.",
            content_type=media_type[:100],
            supported=list(CONTENT_TYPES),
        )
