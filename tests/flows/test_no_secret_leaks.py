"""Canary secrets are used everywhere, and every table, page and log is searched for them."""

import io
import json
import logging
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from alerts import services as alerts
from common import addresses
from keys import services as keys
from keys.models import ApiKey
from keys.refusals import AlreadyExists
from keys.supply.pricing import Rates
from tests.actors import ACTOR, GRACE
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)

KEY_SECRET = "sk-canary-7Hq2mZx9Lw4TnV8cRb3K"  # butler:allow sk-key canary of this test
NEW_SECRET = "canary0without0any0known0shape"
CHANNEL_PASSWORD = "canary0of0the0channel"
FREE = Rates(input=Decimal(0), output=Decimal(0))


@pytest.fixture
def log():
    """What the process would print as its log, at the most talkative level."""
    written = io.StringIO()
    (handler,) = [h for h in logging.getLogger().handlers if h.filters]
    before, level = handler.setStream(written), logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    yield written
    logging.getLogger().setLevel(level)
    handler.setStream(before)


@pytest.fixture
def secrets_by_name(settings):
    """Every kind of secret Butler keeps or gives out, by name."""
    keys.create_cost_centre("org", actor=ACTOR, now=NOON)
    ada = keys.create_agent("ada", cost_centre="org", actor=ACTOR, now=NOON)
    terms = keys.KeyTerms(provider="nvidia", model="m", rates=FREE)
    keys.add_key("nvidia-1", terms=terms, secret=KEY_SECRET, actor=ACTOR, now=NOON)
    _, token = keys.issue_token(
        ada, scopes=["spend", "read", "operate"], days=3650, actor=ACTOR, now=NOON
    )
    settings.CHANNEL_NETWORKS = addresses.networks(["127.0.0.0/8"])
    alerts.add_channel(
        name="mail",
        url=f"json://user:{CHANNEL_PASSWORD}@127.0.0.1:9/",
        actor=GRACE,
        now=NOON,
    )
    return {"key": KEY_SECRET, "new": NEW_SECRET, "channel": CHANNEL_PASSWORD, "agent": token}


def test_no_secret_is_in_any_table_page_answer_queue_entry_or_log(secrets_by_name, log):
    seen = Seen(secrets_by_name)
    agent = Client(headers={"authorization": f"Bearer {secrets_by_name['agent']}"})
    session_token = _spend(agent, seen)
    seen.secrets["session"] = session_token
    _provoke(agent, seen)
    seen.text("queue entries", _tables("django_q_ormq"))
    drain_queue()
    _look_at_every_page(seen)
    seen.text("database", _tables())
    seen.text("log", log.getvalue())
    assert log.getvalue(), "the log must have been listened to"
    assert seen.searched > 30


class Seen:
    """Searches what anybody can see for the secrets."""

    def __init__(self, secrets):
        self.secrets, self.searched = dict(secrets), 0

    def text(self, where, text):
        """No secret, nor the telling end of a token, is in the text."""
        self.searched += 1
        for name, secret in self.secrets.items():
            for part in (secret, secret[-20:]):
                assert part not in text, f"the {name} secret is in {where}"

    def answer(self, answer, *, status=None):
        """The same of an HTTP answer with its headers."""
        assert status in (None, answer.status_code), answer.content
        shown = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.text(answer.request["PATH_INFO"], shown.decode(errors="replace") + str(answer.headers))


def _post(agent, path, body):
    return agent.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def _spend(agent, seen):
    """An allocation's life over HTTP; its session token, which only the first answer shows."""
    made = _post(agent, "allocations", {"tokens": 20_000, "auto_rotate": False})
    assert made.status_code == 201, made.content
    lent = made.json()
    seen.text("the first answer", made.content.decode().replace(lent["session_token"], ""))
    session = f"allocations/{lent['session_id']}"
    seen.answer(_post(agent, f"{session}/usage", {"input_tokens": 16_000, "output_tokens": 1}))
    for part in ("", "/decision", "/monitor"):
        seen.answer(agent.get(f"/api/v1/{session}{part}"), status=200)
    for path in ("allocations", "keys", "status", "me", "alerts", "history", "usage", "schema"):
        seen.answer(agent.get(f"/api/v1/{path}"), status=200)
    return lent["session_token"]


def _provoke(agent, seen):
    """Errors of every kind, with secrets in what was sent."""
    bearer = {"authorization": f"Bearer {seen.secrets['agent'][:-1]}x"}
    seen.answer(Client(headers=bearer).get("/api/v1/me"), status=401)
    seen.answer(_post(agent, "allocations", {"tokens": "many", "text": 5}))
    seen.answer(_post(agent, "keys/nvidia-1/refusal", {"status": 401}))
    keys.replace_secret(
        "nvidia-1", secret=NEW_SECRET, actor=ACTOR, reason="old one broke", now=NOON
    )
    terms = keys.KeyTerms(provider="nvidia", model="m", rates=FREE)
    with pytest.raises(AlreadyExists) as refusal:
        keys.add_key("nvidia-1", terms=terms, secret=NEW_SECRET, actor=ACTOR, now=NOON)
    seen.text("a refusal", repr(refusal.value) + str(refusal.value.facts()))
    logging.getLogger("test").error("sent %s", seen.secrets["agent"])
    try:
        raise RuntimeError(f"upstream said Bearer {KEY_SECRET}")
    except RuntimeError:
        logging.getLogger("test").exception("a bug whose text has a key")
    seen.text("repr of rows", repr([vars(row) for row in ApiKey.objects.all()]))
    out = io.StringIO()
    call_command("dumpdata", "keys", "alerts", stdout=out)
    seen.text("dumpdata", out.getvalue())


def _look_at_every_page(seen):
    """The overview and every list and form of the admin."""
    User.objects.create_superuser("root", password="root")
    person = Client()
    person.force_login(User.objects.get(username="root"))
    seen.answer(person.get("/"), status=200)
    seen.answer(person.get("/admin/"), status=200)
    for address in _admin_lists():
        listed = person.get(address)
        seen.answer(listed)
        for link in _rows_of(listed, address):
            seen.answer(person.get(link))


def _admin_lists():
    admin = next(u for u in get_resolver().url_patterns if str(u.pattern) == "admin/")
    for part in admin.url_patterns:
        names = [getattr(one, "name", "") or "" for one in getattr(part, "url_patterns", [])]
        if any(name.endswith("_changelist") for name in names):
            yield f"/admin/{part.pattern}"


def _rows_of(listed, address):
    changelist = (listed.context or {}).get("cl")
    return (
        [f"{address}{row.pk}/change/" for row in changelist.result_list[:3]] if changelist else []
    )


def _tables(only=None):
    """Every row of every table (or one), as text."""
    with connection.cursor() as cursor:
        names = [only] if only else connection.introspection.table_names(cursor)
        rows = []
        for name in names:
            cursor.execute(f'SELECT t::text FROM "{name}" t')  # noqa: S608 - names of our tables
            rows += [row[0] for row in cursor.fetchall()]
        # Packages of the queue are pickled and encoded: search what is inside, too.
        return "\n".join(rows) + "".join(_unpacked_queue())


def _unpacked_queue():

    return [repr(SignedPackage.loads(entry.payload)) for entry in OrmQ.objects.all()]
