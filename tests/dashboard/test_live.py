"""Streams of live pages: what they send, to whom, and when they end."""

import re
from contextlib import ExitStack

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts import queries
from alerts import services as alerts
from butler_site import asgi
from common.admin.visible_rows import visible_to
from dashboard import live
from dashboard.live import app
from gate import services as gate
from gate.access import Access
from gate.models import CentreBinding
from keys import alert_kinds
from tests.actors import GRACE
from tests.dashboard.live_streams import live_page, live_stream, quick_ticks
from tests.gateway.server import running_gateway
from tests.keys.builders import PAID, add_key, allocate, report
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server():
    with running_gateway() as running:
        yield running


@pytest.fixture(autouse=True)
def quick_hub(monkeypatch):
    quick_ticks(monkeypatch)


@pytest.fixture
def opened(server):
    """Opens streams, which are closed at the end; then nobody looks, and nothing is looked for."""
    with ExitStack() as stack:
        yield lambda client, *query: stack.enter_context(live_stream(server.url, client, *query))
    wait_until(lambda: not asgi._live._hub.streams())
    wait_until(lambda: asgi._live._hub._watching is None or asgi._live._hub._watching.done())


@pytest.fixture
def grace():
    """A client signed in as grace, who may see everything."""
    return signed_in(get_user_model().objects.create_superuser("grace", password="x"))


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def staff(name, *centres, only=None):
    """Staff with every permission or those with these codenames, bound to these cost centres."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    permissions = Permission.objects.all()
    user.user_permissions.set(permissions.filter(codename__in=only) if only else permissions)
    for centre in centres:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


def raise_alert(title, **about):
    kind = alert_kinds.KEY_BROKEN
    alerts.raise_alert(kind=kind, dedup_key=title, title=title, now=timezone.now(), **about)


@pytest.fixture(autouse=True)
def alerts_page(monkeypatch):
    """A page that only has the alerts that the audience may see."""

    def fragments(request, now):
        seen = visible_to(request.user, queries.open_alerts())
        return "\n".join(alert.title for alert in seen)

    live_page(monkeypatch, "access", fragments)


def test_a_stream_begins_with_the_whole_state(opened, grace):
    raise_alert("Key a is broken")
    stream = opened(grace)
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.next("").data == "Key a is broken"


def test_the_state_is_what_the_page_shows(opened, grace, people):
    add_key("nvidia-1")
    page = grace.get("/").content.decode()
    state = opened(grace, "?page=overview").next_state()
    begin, end = '<hx-partial hx-target="#live" hx-swap="innerMorph">', "</hx-partial>"
    inside = state.partition(begin)[2].removesuffix(end)
    assert "nvidia" in inside
    assert " ".join(inside.split()) in " ".join(page.split())


def test_keys_come_row_by_row_and_with_them_which_rows_the_page_would_have(opened, grace, people):
    for slug in ("nvidia-1", "nvidia-2"):
        add_key(slug, rates=PAID)
    busy = allocate(tokens=80_000, now=timezone.now()).api_key_id
    state = opened(grace, "?page=keys").next_state(until="80k")
    page = " ".join(grace.get("/keys").content.decode().split())
    rows = dict(re.findall(r'hx-target="#keys-row-([^"]+)"[^>]*>(.*?)</hx-partial>', state, re.S))
    assert rows.keys() == {"nvidia-1", "nvidia-2"}
    assert f'id="keys-row-{busy}">{" ".join(rows[busy].split())}' in page
    names = re.search(r'hx-target="#live-rows"[^>]*>(.*?)</hx-partial>', state)
    assert names[1] == f"keys-row-{busy}"
    assert f">{names[1]}</p>" in page


def test_who_is_bound_to_a_part_of_the_tree_has_no_stream_of_keys(opened, people):
    assert opened(signed_in(staff("ruth", "research")), "?page=keys").status == 403


def test_an_alert_comes_by_itself(opened, grace):
    stream = opened(grace)
    assert "Key a is broken" not in stream.next_state()
    raise_alert("Key a is broken")
    assert stream.next_state(until="Key a is broken")


def test_a_settled_charge_comes_by_itself(opened, grace, people):
    now = timezone.now()
    add_key("nvidia-1", rates=PAID)
    allocation = allocate(tokens=100_000, now=now)
    stream = opened(grace, "?page=overview")
    stream.next_state()
    report(allocation, 80_000, now=now)
    assert stream.next_state(until="$0.24")


def test_all_who_may_see_the_same_get_the_same_rendered_once(opened, monkeypatch):
    live_page(monkeypatch, "access", lambda request, now: "the same")
    streams = [opened(signed_in(staff(name))) for name in ("vera", "olga", "ruth")]
    # The moment at which it was rendered too.
    assert len({stream.next("") for stream in streams}) == 1


def test_nothing_is_sent_while_nothing_changes_but_that_the_page_lives(opened, grace):
    stream = opened(grace)
    first = stream.next("")
    beats = [stream.next("", "alive") for _ in range(3)]
    assert {each.name for each in beats} == {"alive"}
    assert first.moment < beats[0].moment < beats[1].moment < beats[2].moment


def test_who_is_bound_to_a_part_of_the_tree_sees_only_that_part(opened, people):
    now = timezone.now()
    add_key("nvidia-1", rates=PAID)
    for agent, tokens in (("ada", 80_000), ("carol", 800_000)):
        report(allocate(agent, now=now, tokens=tokens), tokens, now=now)
    ruth = signed_in(staff("ruth", "research"))
    state = opened(ruth, "?page=overview").next_state()
    assert "$0.24" in state
    assert "$2." not in state
    assert "nvidia-1" not in state
    stream = opened(ruth)
    raise_alert("Carol is out", agent_id="carol")
    raise_alert("Ada is out", agent_id="ada")
    assert "Carol is out" not in stream.next_state(until="Ada is out")


@pytest.mark.parametrize(
    ("person", "query", "status"),
    [
        (None, "", 401),
        ({"is_staff": False}, "", 401),
        ({"is_staff": True, "is_active": False}, "", 401),
        ({"is_staff": True}, "?page=nothing", 404),
        ({"is_staff": True}, "?page=charges", 403),
        ({"is_staff": True}, "?page=%00", 400),
        ({"is_staff": True}, "?page=overview&page=", 404),
    ],
)
def test_who_may_not_see_a_page_gets_no_stream(opened, monkeypatch, person, query, status):
    live_page(monkeypatch, "charges", lambda request, now: "a secret", "keys.view_charge")
    client = Client()
    if person:
        client.force_login(get_user_model().objects.create_user("carol", **person))
    answer = opened(client, query)
    assert answer.status == status
    assert "secret" not in answer.response.read().decode()


def test_signing_out_ends_the_streams_of_that_session_and_no_others(opened, grace):
    elsewhere = signed_in(get_user_model().objects.get(username="grace"))
    streams = [opened(grace), opened(grace), opened(elsewhere)]
    for stream in streams:
        stream.next_state()
    grace.post("/admin/logout/")
    assert [stream.rest()[-1] for stream in streams[:2]] == ["bye", "bye"]
    raise_alert("Key a is broken")
    assert streams[2].next_state(until="Key a is broken")


def test_a_session_that_ends_without_a_word_ends_its_streams(opened, grace):
    stream = opened(grace)
    stream.next_state()
    Session.objects.all().delete()
    assert stream.rest()[-1] == "bye"


def test_a_person_who_is_switched_off_sees_nothing_more(opened):
    vera = staff("vera")
    stream = opened(signed_in(vera))
    stream.next_state()
    gate.switch_off(vera, reason="left", actor=GRACE, now=timezone.now())
    assert stream.rest()[-1] == "bye"


@pytest.mark.parametrize(
    "access",
    [Access(frozenset(), frozenset()), Access(frozenset({"viewer"}), frozenset({"sales"}))],
)
def test_other_roles_or_cost_centres_end_a_stream(opened, people, access):
    vera = staff("vera", only=["view_alert"])
    before = Access(frozenset({"viewer"}), frozenset({"research"}))
    gate.set_access(vera, access=before, reason="test", actor=GRACE, now=timezone.now())
    stream = opened(signed_in(vera))
    stream.next_state()
    gate.set_access(vera, access=access, reason="moved", actor=GRACE, now=timezone.now())
    assert stream.rest()[-1] == "bye"


def test_a_stream_does_not_extend_its_session(opened, grace):
    session = Session.objects.get()
    Session.objects.update(expire_date=session.expire_date - timezone.timedelta(days=13))
    before = Session.objects.values().get()
    stream = opened(grace)
    for _ in range(4):
        # Between these it was looked again and again who it is.
        stream.next("alive")
    assert Session.objects.values().get() == before


def test_a_lost_connection_comes_back(opened, grace):
    stream = opened(grace)
    stream.next("alive")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND query ~ 'keys_usageslice|LISTEN butler'"
        )
        assert cursor.rowcount
    raise_alert("Key a is broken")
    assert stream.next_state(until="Key a is broken")
    assert stream.next("alive")


def test_a_page_that_cannot_be_rendered_is_not_said_to_live(opened, grace, monkeypatch, caplog):
    live_page(monkeypatch, "reports", lambda request, now: 1 // 0)
    failing, whole = opened(grace, "?page=reports"), opened(grace)
    for _ in range(2):
        whole.next("alive")
    assert "reports could not be rendered" in caplog.text
    live_page(monkeypatch, "reports", lambda request, now: "mended")
    again = opened(grace, "?page=reports")
    assert again.next("", "alive").data == "mended"
    failing.response.close()


def test_a_view_of_ones_own_is_told_of_new_charges_only(opened, people):
    now = timezone.now()
    add_key("nvidia-1", rates=PAID)
    ada, carol = allocate("ada", now=now), allocate("carol", now=now)
    query = "?page=overview&own_view"
    vera = opened(signed_in(staff("vera")), query)
    ruth = opened(signed_in(staff("ruth", "research")), query)
    assert [each.next("", "changed", "alive").name for each in (vera, ruth)] == ["alive"] * 2
    report(carol, 100, now=now)
    vera.next("changed")
    assert [ruth.next("", "changed", "alive").name for _ in range(2)] == ["alive"] * 2
    report(ada, 100, now=timezone.now())
    ruth.next("changed")


def test_the_streams_of_a_person_and_of_a_process_are_bounded(opened, grace, settings, monkeypatch):
    monkeypatch.setattr(app, "_PERSON_STREAMS_MAX", 2)
    streams = [opened(grace), opened(grace)]
    assert opened(grace).status == 429
    vera = signed_in(staff("vera"))
    streams.append(opened(vera))
    settings.LIVE_STREAMS_MAX = 3
    full = opened(vera)
    assert (full.status, full.headers["retry-after"]) == (503, "30")
    assert full.response.read() == b"Too many live pages are open. Please retry."
    assert [stream.status for stream in streams] == [200] * 3


def test_a_name_of_a_page_is_registered_once():
    with pytest.raises(ValueError, match="overview"):
        live.register("overview", permission="", fragments=lambda request, now: "")
