"""What a receipt may be: told by its bytes, never by its name."""

# Of a page's form, whose whole body Django takes up to 2.5 MB.
RECEIPT_BYTES_MAX = 2_000_000
# How each kind of file begins, and what its end has in it.
_FORMS = (
    ("application/pdf", b"%PDF-", b"%%EOF"),
    ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"\x00\x00\x00\x00IEND\xaeB`\x82"),
    ("image/jpeg", b"\xff\xd8\xff", b"\xff\xd9"),
)
MEDIA_TYPES = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
}
# Some programs write a little behind the end of a file.
_END_BYTES = 1024


def media_type_of(content: bytes) -> str:
    """The media type of a whole PDF, PNG or JPEG; blank for anything else, and for a part of one.

    Only its beginning and its end are looked at: the content is kept and handed out as a download,
    and nothing of Butler opens it.
    """
    for media_type, beginning, end in _FORMS:
        if content.startswith(beginning):
            return media_type if end in content[len(beginning) :][-_END_BYTES:] else ""
    return ""
