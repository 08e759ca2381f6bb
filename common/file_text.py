"""The text of a file, or what is wrong with the file."""


class UnreadableError(ValueError):
    """A file cannot be read. The message says where and why, for a person."""


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"The file is not UTF-8: byte {error.start + 1} is wrong. Save it as UTF-8."
        ) from None
    if "\0" in text:
        raise UnreadableError("The file has NUL characters, so it is no text. Save it as UTF-8.")
    return text
