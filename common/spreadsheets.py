"""Text in files that people open in a spreadsheet."""

import re

_STARTS = "=+@"
# Input methods of East Asia type the wide forms, which Excel there takes for the narrow ones.
_WIDE_STARTS = "\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}"
_WIDE_STARTS += "\N{FULLWIDTH COMMERCIAL AT}"
# Where numbers have a comma, spreadsheets take semicolons for the borders of cells, and no quotes
# within what they take for one.
_FORMULA = re.compile(rf"(?:^|(?<=[;\t\r\n]))(?=[{_STARTS}{_WIDE_STARTS}-])|^(?=[\t\r\n])")


def inert_text(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula: at its start,
    and after what another language's spreadsheet takes for the border of a cell."""
    return _FORMULA.sub("'", text)
