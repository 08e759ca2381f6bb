"""Texts that are made to keep the scanner busy."""

import sys

from security.scanner.engine import scan_text

_CHARACTERS = 1_500
# Twice the text, and what begins and ends a scan.
_GROWTH_MAX = 2.2
_CALLS_MIN = 500


def assert_linear(piece, head="", path="notes.txt"):
    """The text of twice as many pieces takes twice as many calls."""
    text = head + piece * (_CHARACTERS // len(piece))
    calls = _calls(text, path)
    assert _calls(text + text, path) <= _GROWTH_MAX * max(calls, _CALLS_MIN)


def _calls(text, path):
    """The number of calls of functions, also of those of expressions."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += 1

    scan_text(text, path)  # compiles expressions
    sys.setprofile(counted)
    try:
        scan_text(text, path)
    finally:
        sys.setprofile(None)
    return count
