"""An export is of one moment, holds nobody up, and is taken by an import: the files come again."""

import hashlib
import io
import json
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st

from alerts import services as alerts
from interchange import demo_fleet
from interchange import services as interchange
from interchange.audit_actions import Action
from interchange.models import ImportedEntry
from interchange.state_files import event_types, files, schemas, sections, streams, validation
from keys import services as keys
from keys.audit_actions import Action as KeysAction
from keys.models import Window
from security import audit
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.interchange.emptied import forget_everything
from tests.interchange.exported import exported_documents
from tests.keys.builders import add_key, allocate, limit, report
from tests.moments import NOON


def again(*, now=NOON):
    """The files of an export, and those of an export of the Butler that imported them."""
    state, api_keys = exported_documents(now=now)
    forget_everything()
    interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=now)
    assert_books_balance()
    return [state, api_keys], exported_documents(now=now + timedelta(minutes=1))


@pytest.mark.django_db
def test_the_files_of_the_demo_fleet_come_again_from_a_butler_that_imports_them(people):
    demo_fleet.load(now=NOON)
    report(allocate(tokens=50_000), 1_000)
    first, second = again()
    assert {"provider_change", "limit_change", "usage_update"} <= {
        entry["type"] for entry in first[0]["history"]
    }
    assert second == first


@pytest.mark.django_db
def test_a_filled_butler_with_every_kind_of_entry_comes_again(people):
    """O49: Every action that the format knows, alerts of all states, sessions of all states."""
    add_key("openai-1", provider="openai", per_day=1_000_000)
    for number in range(7):
        lent = allocate(tokens=9_000)
        report(lent, 100 * number, idempotency_key=f"import-{number}")
        if number % 2:
            keys.complete(allocation_id=lent.pk, actor=ACTOR, now=NOON)
    for action in event_types.TYPE_OF_ACTION:
        audit.record(
            actor=ACTOR,
            action=next(each for each in (*KeysAction, *Action) if each == action),
            subject="key:openai-1",
            before={"ü": [1, None, 0.5]},
            after={"amount": "0.000000001"},
            reason="x" * 300,
            at=NOON,
        )
    foreign = alerts.ForeignAlert(
        kind="budget",
        severity="warning",
        message="m" * 700,
        dedup_key="d",
        raised_at=NOON,
        key_id="openai-1",
        session_id=None,
        acknowledged=True,
        resolved=False,
    )
    alerts.import_alerts([foreign], actor=ACTOR, now=NOON)
    first, second = again()
    calls = [entry for entry in first[0]["history"] if entry["type"] == "usage_update"]
    assert len([entry for entry in calls if entry.get("tokens")]) == 6
    assert second == first


@pytest.mark.django_db
def test_limits_of_one_key_in_several_zones_keep_them(people):
    """O49."""
    key = add_key("openai-1", provider="openai", per_day=None)
    limit(key, 100_000, zone="America/Havana", reset_hour=5)
    limit(key, 90, unit="usd", period="month", zone="Pacific/Chatham")
    limit(key, 70_000, period="week", zone="Asia/Kathmandu")
    report(allocate(tokens=20_000), 1_000)

    def ends():
        windows = Window.objects.filter(closed_at=None, scope="key:openai-1")
        return sorted(windows.values_list("unit", "limit__period", "limit__zone", "ends_at"))

    there = ends()
    first, second = again()
    assert ends() == there
    assert second == first


@pytest.mark.django_db
def test_an_organisation_that_was_changed_comes_again_with_every_limit_in_its_zone(people):
    """O49."""
    key = add_key("openai-1", provider="openai", per_day=None)
    zones = {
        "hour": "Asia/Kolkata",
        "day": "America/Havana",
        "week": "Pacific/Apia",
        "month": "America/St_Johns",
        "quarter": "Africa/Cairo",
        "year": "Australia/Lord_Howe",
    }
    for period, zone in zones.items():
        hour = 0 if period == "hour" else 23
        limit(key, 900_000, period=period, zone=zone, reset_hour=hour)
        limit(key, "0.75", unit="usd", period=period, zone=zone, reset_hour=hour)
    gone = limit(key, 5, unit="usd", period="total")
    keys.remove_limit(gone, reason="gone", actor=ACTOR, now=NOON)
    lent = allocate("carol", tokens=2_000)
    report(lent, 1_000)
    by = {"actor": ACTOR, "now": NOON, "reason": "“ü” 数据"}
    keys.complete(allocation_id=lent.pk, actor=ACTOR, now=NOON)
    keys.rename_agent("carol", name="Carol “ü” 数据", **by)
    keys.rename_cost_centre("research", name="R & D", **by)
    keys.close_cost_centre("sales", agents_to="research", **by)
    add_key("openai-typo", provider="openai")
    keys.hide_key("openai-typo", **by)

    def limits():
        rows = Window.objects.filter(closed_at=None, scope="key:openai-1")
        names = ("unit", "limit__period", "amount", "limit__zone", "limit__reset_hour", "ends_at")
        return sorted(rows.values_list(*names))

    there = limits()
    first, second = again()
    assert (len(there), limits()) == (12, there)
    assert "openai-typo" not in first[0]["keys"]
    assert second == first


@pytest.mark.django_db
def test_what_butler_wrote_before_an_import_and_after_it_is_exported_beside_it(people):
    add_key("groq-1", provider="groq")
    report(allocate(tokens=5_000), 100)
    state, _ = exported_documents(now=NOON)
    entry = {"id": "other-1", "provider": "nvidia", "model": "m", "costPer1kTokens": 0}
    given_state = {"timestamp": "2026-03-10T11:00:00Z", "keys": {}, "z": {"own": [1]}}
    interchange.import_state(state=given_state, api_keys={"keys": [entry]}, actor=ACTOR, now=NOON)
    later = NOON + timedelta(minutes=5)
    report(allocate(tokens=5_000, now=later), 100, now=later)
    then, _ = exported_documents(now=later)
    assert then["z"] == {"own": [1]}
    assert then["history"][: len(state["history"])] == state["history"]
    kinds = [event["type"] for event in then["history"][len(state["history"]) :]]
    assert sorted(kinds) == ["allocation", "usage_update"]


@pytest.mark.django_db(transaction=True)
def test_agents_are_lent_budgets_and_spend_while_an_export_reads(people, tmp_path, monkeypatch):
    """O50."""
    add_key("openai-1", provider="openai", per_day=1_000_000)
    report(allocate(tokens=9_000), 100)
    done = []

    def spend():
        report(allocate(tokens=9_000), 100)
        done.append(True)
        connection.close()

    real = sections._alerts

    def slow(rows):
        spending = threading.Thread(target=spend)
        spending.start()
        spending.join(timeout=20)
        assert done, "an agent waited for the export"
        yield from real(rows)

    section = sections.SECTIONS[ImportedEntry.Section.ALERTS]
    changed = sections.Section(section.name, section.model, section.is_object, slow, slow)
    monkeypatch.setitem(sections.SECTIONS, section.name, changed)
    (path, _) = interchange.export_state(tmp_path, now=NOON)
    state = files.read(path)
    # What was spent while the export read is in no part of it.
    assert len(state["allocations"]) == 1
    assert state["keys"]["openai-1"]["usage"]["total"] == 100
    assert [entry["type"] for entry in state["history"]].count("usage_update") == 1


@pytest.mark.django_db(transaction=True)
def test_a_folder_that_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written into"):
        call_command("export_state", str(tmp_path / "file"), stdout=io.StringIO())

    def full(*_args):
        raise OSError(28, "No space left on device")

    (tmp_path / files.STATE_FILE).write_text("the earlier one")
    monkeypatch.setattr("interchange.state_files.files.os.fsync", full)
    with pytest.raises(CommandError, match="No space left on device"):
        call_command("export_state", str(tmp_path), stdout=io.StringIO())
    assert (tmp_path / files.STATE_FILE).read_text() == "the earlier one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", files.STATE_FILE]


values = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
documents = st.dictionaries(
    st.sampled_from(["a", "allocations", "keys", "history", "zü"]),
    st.lists(values, max_size=6) | st.dictionaries(st.text(), values, max_size=6) | st.integers(),
)


@given(documents, st.integers(1, 40), st.sampled_from([None, 0, 3]), st.booleans())
# Cut behind its `e` or `e-`, a number is a shorter one.
@example({"a": 1e-09, "history": [2.5e-09, 1e22]}, 1, None, False)
def test_a_file_that_is_read_in_parts_is_what_it_is_when_read_at_once(
    tmp_path_factory, document, part, indent, is_ascii
):
    path = tmp_path_factory.getbasetemp() / "parts.json"
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii)
    path.write_bytes(b"\xef\xbb\xbf" * (part % 2) + text.encode("utf-8", "replace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_PART", part)
        read = streams.read(path)
        for name, kind in (("history", list), ("allocations", dict)):
            if isinstance(entries := read.get(name), streams.Entries):
                assert list(entries) == list(entries)
                read[name] = kind(entries)
    assert read == files.read(path)


@pytest.mark.parametrize(
    "content",
    [
        '{"history": [1, 2,]}',
        '{"history": [{"a": 1} {"a": 2}]}',
        '{"history": [1, 2',
        '{"history": [tru]}',
        '{"a": 1,\n "history": [\n{"b": "ü", "b": 1}]}',
        '{"history": [NaN]}',
        '{"history": [1e999]}',
        '{"history": [], "history": []}',
        '{"allocations": {"a": 1, "b": 2,}}',
        '{"allocations": {"a": 1\n "b": 2}}',
        '{"allocations": {"a": 1, "b": {"c": 3, "c": 4}, "d": 5}}',
        '{"allocations": {"a": 1, "b": 2, "a": 3}}',
        '{"allocations": {"a": 1',
        '{"allocations": {1: 2}}',
        '{"history": []} x',
        '{"history": [],\n\n "x" 1}',
        '{"history": [\n"abc\n"]}',
        "{,}",
        '{"a": 1',
    ],
)
@pytest.mark.parametrize("part", [1, 7, 1 << 20])
def test_what_is_no_json_is_told_with_the_same_place_however_it_is_read(
    tmp_path, monkeypatch, content, part
):
    monkeypatch.setattr(streams, "_PART", part)
    path = tmp_path / "state.json"
    path.write_text(content, encoding="utf-8")
    told = []
    for read in (files.read, streams.read):
        with pytest.raises(files.MalformedFile) as refusal:
            read(path)
        told.append(refusal.value.detail)
    assert told[0] == told[1]


def test_a_byte_that_is_not_utf_8_is_named_in_a_later_part(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_PART", 4)
    path = tmp_path / "state.json"
    path.write_bytes(b'{"history": ["' + b"x" * 20 + b'\xff"]}')
    with pytest.raises(files.MalformedFile, match="byte 34 is not UTF-8"):
        streams.read(path)


def test_a_wrong_entry_far_down_the_history_is_named():
    history = [{"type": "reset", "timestamp": "2026-03-10T11:00:00Z"}] * 30
    history[17] = {"type": "magic", "timestamp": "2026-03-10T11:00:00Z"}
    state = {"timestamp": "2026-03-10T11:00:00Z", "keys": {}, "history": history}
    with pytest.raises(files.MalformedFile, match="/history/17/type: expected one of allocation"):
        validation.validate(state=state, api_keys=[], now=NOON)


def test_a_wrong_session_far_down_the_file_is_named(tmp_path):
    session = {"keyId": "a", "allocated": 1, "createdAt": "2026-03-10T11:00:00Z"}
    sessions = {f"s-{number}": session for number in range(30)}
    state = {"timestamp": "2026-03-10T11:00:00Z", "keys": {}, "history": []}
    path = tmp_path / files.STATE_FILE
    for name, changes, says in (
        ("s-17", {"allocated": 0}, "/allocations/s-17/allocated: expected 1 or more"),
        ("s-18", {"createdAt": "now"}, "/allocations/s-18/createdAt: expected a moment"),
        ("s 19", {}, "/allocations: expected a name like .* as the name of every member"),
        ("s-20", {"keyId": "b"}, "/allocations/s-20/keyId: expected a key of api-keys.json"),
        ("s-21", {"used": True}, "/allocations/s-21/used: expected integer"),
    ):
        wrong = sessions | {name: session | changes}
        path.write_text(json.dumps(state | {"allocations": wrong}))
        key = {"id": "a", "provider": "p", "model": "m", "costPer1kTokens": 1}
        for read in (files.read, streams.read):
            with pytest.raises(files.MalformedFile, match=says):
                validation.validate(state=read(path), api_keys=[key], now=NOON)


names = st.text("ab-é", min_size=1, max_size=3)


@given(
    st.dictionaries(names, st.fixed_dictionaries({"used": st.integers(0, 9)})),
    st.lists(st.sampled_from(["import", "reset"]), max_size=3),
)
def test_the_digest_is_that_of_both_documents_by_name(tmp_path_factory, sessions, kinds):
    at = "2026-03-10T11:00:00Z"
    entry = {"keyId": "a", "allocated": 1, "createdAt": at}
    history = [{"type": kind, "timestamp": at} for kind in kinds]
    state = {
        "zone": 1,
        "timestamp": at,
        "keys": {},
        "allocations": {
            f"s{number}-{name.count('b')}": entry | own
            for number, (name, own) in enumerate(sessions.items())
        },
        "history": history,
    }
    api_keys = {"keys": [{"id": "a", "provider": "p", "model": "m", "costPer1kTokens": 1}]}
    path = tmp_path_factory.getbasetemp() / "digest.json"
    path.write_text(json.dumps(state))
    wanted = hashlib.sha256()
    for event in history:
        wanted.update(json.dumps(event, sort_keys=True).encode())
    rest = [state | {"history": []}, {"keys": {"a": api_keys["keys"][0]}}]
    wanted.update(json.dumps(rest, sort_keys=True).encode())
    for read in (files.read, streams.read):
        found = validation.validate(state=read(path), api_keys=api_keys, now=NOON)
        assert found.digest == wanted.hexdigest()
        assert (found.session_count, found.history_count) == (len(sessions), len(history))


moments = st.sampled_from(
    ["2026-03-10T11:00:00Z", "2026-03-10", "now", 1_770_000_000_000, 10**20, 1.5, True]
)
shapes = st.none() | st.just([]) | st.just({}) | st.integers(-1, 2) | st.floats(0, 2)
shapes |= st.booleans() | moments | st.text("ab é", max_size=66) | st.just("x" * 301)


@pytest.mark.parametrize("definition", ["event", "allocation", "key", "alert", "slug"])
@given(data=st.data())
def test_what_the_quick_check_lets_pass_the_schema_lets_pass(definition, data):
    schema = schemas.schema_of(definition)
    own = schema["$defs"][definition]
    members = {
        name: shapes | st.sampled_from(of.get("enum", ["active"]))
        for name, of in own.get("properties", {}).items()
    }
    entries = st.fixed_dictionaries({}, optional=members) if members else shapes
    value = data.draw(entries | shapes)
    if schemas.check_of(definition)(value):
        assert list(schemas.validator_of(definition).iter_errors(value)) == []


def test_the_quick_check_lets_pass_what_butler_exports():
    at = "2026-03-10T11:00:00.000Z"
    call = {"timestamp": at, "type": "usage_update", "keyId": "a", "agentId": "b", "tokens": 9}
    session = {"keyId": "a", "allocated": 1, "createdAt": at, "expiresAt": None, "used": 0}
    assert schemas.check_of("event")(call | {"sessionId": "s", "cost": "0.1", "by": None})
    assert schemas.check_of("allocation")(session | {"autoRotate": True, "closedAt": at})


def test_every_type_of_an_exported_entry_is_one_that_the_import_knows():
    """O49."""
    schema = schemas.validator(files.STATE_FILE).schema
    known = schema["$defs"]["event"]["properties"]["type"]["enum"]
    assert set(event_types.TYPE_OF_ACTION.values()) == set(known)
