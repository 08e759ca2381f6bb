"""Notices are sent after a commit, at most once a second for each topic, and break nothing."""

import psycopg
import pytest
from django.db import connection, transaction

from common import live_notices
from common.live_notices import CHANNEL, announce, person_topic

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The seconds that the sender sees; nothing was sent yet."""
    now = [0.0]
    monkeypatch.setattr(live_notices, "monotonic", lambda: now[0])
    monkeypatch.setattr(live_notices, "_sent_at", {})
    return now


@pytest.fixture
def heard():
    """Call it for the topics that were heard since."""
    known = connection.get_connection_params()
    place = {name: known[name] for name in ("dbname", "user", "host", "port") if name in known}
    with psycopg.connect(**place, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")

        def topics():
            # The answer comes after what was sent before.
            listener.execute("SELECT 1")
            return [each.payload for each in listener.notifies(timeout=0)]

        yield topics


def test_a_notice_is_sent_after_the_commit(heard):
    with transaction.atomic():
        announce()
        assert heard() == []
    assert heard() == ["rows"]


def test_what_was_rolled_back_is_not_told(heard):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce()
        1 // 0  # noqa: B018
    assert heard() == []


def test_a_topic_is_sent_at_most_once_a_second(heard, clock):
    for clock[0] in (0.0, 0.5, 0.99):
        announce()
        announce(person_topic(7))
    assert heard() == ["rows", "person:7"]
    clock[0] = 1.0
    announce()
    assert heard() == ["rows"]
    assert live_notices._sent_at == {"rows": 1.0}


def test_a_notice_that_cannot_be_sent_breaks_nothing(monkeypatch, caplog):
    monkeypatch.setattr(live_notices, "CHANNEL", "a" * 100)
    with transaction.atomic():
        announce()
    assert "channel name too long" in caplog.text
