"""Lines of the log, for people and for machines. A message is one line, also with breaks in it."""

import json
import logging
import re
from datetime import UTC, datetime

# What could begin a line of its own, or move the cursor of a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class TextFormatter(logging.Formatter):
    """`{asctime} {levelname} {name}: {message}`, control characters of the message escaped."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name in logging
        """The line without the traceback, whose lines stay as they are."""
        record.message = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", "trace"?}`; time is RFC 3339 in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            # What a filter has made of the trace (security.redact) goes before the trace itself.
            line["trace"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
