"""Text in files that people open in a spreadsheet."""

_STARTS = "=+-@"
# Input methods of East Asia type the wide forms, which Excel there takes for the narrow ones.
_WIDE_STARTS = "\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}"
_WIDE_STARTS += "\N{FULLWIDTH COMMERCIAL AT}"
_FORMULA_STARTS = tuple(f"{_STARTS}{_WIDE_STARTS}\t\r\n")


def inert_text(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
