"""Log lines for machines."""

import json
import logging

from common.logs import JsonFormatter


def test_a_line_is_one_json_object_even_with_a_traceback():
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        caught = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("keys", logging.ERROR, "f.py", 1, "lost %s", ("it",), caught)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["logger"], fields["message"]) == ("error", "keys", "lost it")
    assert "ValueError" in fields["trace"]
