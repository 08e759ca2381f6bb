"""A database that is away is asked again until it is back, and the log is not flooded."""

import asyncio
import logging

import pytest
from django.db import InterfaceError, OperationalError

from common.database_retry import DatabaseRetry

logger = logging.getLogger("tests.database_retry")


def asked(*outcomes, retry=None):
    """The answer and how often was asked, where each outcome is an answer or an error."""
    left = list(outcomes)

    async def ask():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    retry = retry or DatabaseRetry(logger, pauses_seconds=(0, 0))
    return asyncio.run(retry.run(ask)), len(outcomes) - len(left)


def test_it_is_asked_until_it_answers():
    away = [OperationalError("away"), InterfaceError("closed"), OperationalError("starting")]
    assert asked(*away, "here", "never asked for") == ("here", 4)


def test_an_answer_is_not_asked_for_twice():
    assert asked(None, "never asked for") == (None, 1)


def test_any_other_error_is_raised_at_once():
    with pytest.raises(ValueError, match="a bug"):
        asked(ValueError("a bug"), "never asked for")


def test_the_log_has_one_line_however_many_notice(caplog):
    retry = DatabaseRetry(logger, pauses_seconds=(0,))
    asked(*[OperationalError("server closed\nDETAIL: long")] * 5, "here", retry=retry)
    assert [record.getMessage() for record in caplog.records] == [
        "The database is away: server closed"
    ]
