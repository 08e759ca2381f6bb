"""Import and export of state files: the books balance, and a round trip loses nothing."""

import copy
import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from alerts.models import Alert
from interchange import services as interchange
from interchange.models import ImportedState
from interchange.state_files import files
from keys import services as keys
from keys.models import (
    Agent,
    Allocation,
    ApiKey,
    Charge,
    CostCentre,
    Window,
)
from keys.refusals import AlreadyExists
from security import services as security
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.interchange.emptied import forget_everything
from tests.interchange.exported import exported_documents
from tests.interchange.sample import DATA
from tests.keys.builders import add_key, allocate, limit, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample():
    """The two files of a realistic fleet, fresh for every test."""
    state, api_keys = (files.read(DATA / name) for name in (files.STATE_FILE, files.KEYS_FILE))
    return {"state": state, "api_keys": api_keys}


def import_state(sample, *, now=NOON):
    """Import copies, so that the test's own stay as they were."""
    return interchange.import_state(**copy.deepcopy(sample), actor=ACTOR, now=now)


def exported(*, now=NOON):
    """Both documents, as a reader of the files sees them."""
    state, api_keys = exported_documents(now=now)
    return {"state": state, "api_keys": api_keys}


def without_secrets(sample):
    """What an export may give back."""
    stripped = copy.deepcopy(sample)
    for entry in stripped["api_keys"]["keys"]:
        entry.pop("apiKey", None)
    return stripped


def window(scope, unit="tokens", period="day"):
    """The open window of a limit."""
    return Window.objects.get(scope=scope, unit=unit, limit__period=period, closed_at=None)


def test_a_round_trip_loses_nothing_but_the_secrets(sample):
    done = import_state(sample)
    assert done[:5] == (4, 3, 2, 5, 1)
    assert exported() == without_secrets(sample)
    assert_books_balance()


def test_imported_usage_stands_in_the_windows_of_the_books(sample):
    import_state(sample)
    day = window("key:nvidia-1")
    assert (day.used, day.committed, day.amount) == (1_250_000, 40_000, 5_000_000)
    month = window("key:anthropic-1", period="month")
    assert (month.used, month.amount) == (12_000_000, 30_000_000)
    settled = Charge.objects.filter(api_key="nvidia-1", status="settled")
    assert sum(settled.values_list("tokens", flat=True)) == 88_123_456


def test_a_live_session_goes_on_where_it_was(sample):
    import_state(sample)
    live = Allocation.objects.get(session_id="session-live")
    assert (live.status, live.used, live.left) == ("active", 160_000, 40_000)
    report(live, 10_000)
    keys.complete(allocation_id=live.pk, actor=ACTOR, now=NOON)
    assert (window("key:nvidia-1").used, window("key:nvidia-1").committed) == (1_260_000, 0)
    assert_books_balance()


def test_an_overrun_session_is_recorded_in_full(sample):
    import_state(sample)
    over = Allocation.objects.get(session_id="session-over")
    assert (over.used, over.allocated, over.overrun, over.status) == (
        50_500,
        50_000,
        True,
        "exhausted",
    )


def test_secrets_are_sealed_and_never_exported(sample):
    import_state(sample)
    api_key = ApiKey.objects.get(pk="nvidia-1")
    assert security.unseal_from(api_key, "secret") == "nvapi-canary-not-a-real-key-000001"
    kept = ImportedState.objects.get()
    seen = json.dumps(exported()) + kept.original + kept.rendered
    seen += json.dumps(list(AuditEntry.objects.values("before", "after")))
    assert "canary" not in seen


def test_a_key_without_a_secret_is_inactive_and_says_so(sample):
    import_state(sample)
    api_key = ApiKey.objects.get(pk="openai-1")
    assert (api_key.status, api_key.status_reason) == ("inactive", "no secret yet")
    assert ApiKey.objects.get(pk="sokosumi-1").status == "inactive"
    assert ApiKey.objects.get(pk="anthropic-1").status == "exhausted"


def test_prices_come_from_the_file_or_the_price_book(sample):
    import_state(sample)
    assert ApiKey.objects.get(pk="anthropic-1").price.output == Decimal("0.015")
    assert ApiKey.objects.get(pk="openai-1").price.output > 0
    assert ApiKey.objects.get(pk="nvidia-1").price.output == 0


def test_alerts_and_history_are_taken_over_in_their_state(sample):
    import_state(sample)
    statuses = dict(Alert.objects.values_list("kind", "status"))
    assert statuses == {"rotation_needed": "open", "exhausted": "resolved"}
    change = AuditEntry.objects.get(action="limit.set", actor_name="finance")
    assert (change.actor, change.before, change.after) == (
        "finance",
        {"daily": 4_000_000},
        {"daily": 5_000_000},
    )
    assert (change.subject, change.actor_kind) == ("key:nvidia-1", "person")
    (imported,) = AuditEntry.objects.filter(action="state.import")
    assert (imported.subject, imported.actor) == ("state:imported", "test")
    assert imported.after["history"] == len(sample["state"]["history"])


def test_what_happens_after_the_import_is_in_the_export_beside_what_was_there(sample, people):
    import_state(sample)
    live = Allocation.objects.get(session_id="session-live")
    report(live, 1000)
    fresh = allocate(tokens=20_000)
    out = exported()["state"]
    assert out["timestamp"] == "2026-03-10T12:00:00.000Z"
    assert out["keys"]["nvidia-1"]["usage"]["daily"]["used"] == 1_251_000
    assert out["keys"]["nvidia-1"]["latency"] == {"p50": 0.41, "p99": 2.5}
    assert out["keys"]["anthropic-1"] == sample["state"]["keys"]["anthropic-1"]
    assert out["allocations"]["session-live"]["used"] == 161_000
    assert out["allocations"]["session-live"]["prdId"] == "prd-17"
    assert out["allocations"][fresh.session_id]["allocated"] == 20_000
    assert out["history"][:5] == sample["state"]["history"]
    assert {"usage_update", "allocation"} <= {entry["type"] for entry in out["history"][5:]}
    assert_books_balance()


def test_a_state_of_yesterday_has_yesterdays_windows_until_the_books_turn(sample):
    tomorrow = NOON + timedelta(days=1)
    import_state(sample, now=tomorrow)
    assert exported(now=tomorrow) == without_secrets(sample)
    assert window("key:nvidia-1").used == 1_250_000
    keys.open_windows(now=tomorrow)
    assert window("key:nvidia-1").used == 0
    assert window("key:anthropic-1", period="month").used == 12_000_000
    usage = exported(now=tomorrow)["state"]["keys"]["nvidia-1"]["usage"]
    assert usage["daily"] == {
        "used": 0,
        "limit": 5_000_000,
        "resetAt": "2026-03-12T00:00:00.000Z",
    }
    assert_books_balance()


def test_usage_of_a_day_that_was_over_is_not_of_today(sample):
    daily = sample["state"]["keys"]["nvidia-1"]["usage"]["daily"]
    daily["resetAt"] = "2026-03-10T06:00:00.000Z"
    import_state(sample)
    day = window("key:nvidia-1")
    assert (day.used, day.ends_at.day, day.ends_at.hour) == (0, 11, 6)
    assert window("key:anthropic-1", period="month").used == 12_000_000
    assert exported() == without_secrets(sample)
    assert_books_balance()


def test_sums_that_contradict_each_other_count_as_the_higher(sample):
    usage = sample["state"]["keys"]["anthropic-1"]["usage"]
    usage["daily"]["used"], usage["monthly"]["used"], usage["total"] = 900_000, 100, 7
    import_state(sample)
    assert window("key:anthropic-1", period="month").used >= 900_000
    assert exported() == without_secrets(sample)
    assert_books_balance()


def test_the_same_files_again_change_nothing(sample):
    import_state(sample)
    counts = [model.objects.count() for model in (Charge, AuditEntry, Alert, Allocation)]
    assert import_state(sample, now=NOON + timedelta(hours=1)).again
    assert [model.objects.count() for model in (Charge, AuditEntry, Alert, Allocation)] == counts


def test_other_files_are_refused_after_an_import(sample):
    import_state(sample)
    sample["state"]["keys"]["nvidia-1"]["usage"]["total"] += 1
    with pytest.raises(AlreadyExists, match="empty database"):
        import_state(sample)


def test_keys_that_exist_are_named_and_nothing_is_imported(sample):
    add_key("nvidia-1")
    with pytest.raises(AlreadyExists, match="API keys already exist: nvidia-1"):
        import_state(sample)
    assert not Allocation.objects.exists()
    assert not Agent.objects.exists()


def test_an_import_beside_other_keys_leaves_them_alone(sample, people):
    other = add_key("groq-1", provider="groq")
    report(allocate(tokens=5000), 100)
    import_state(sample)
    out = exported()
    assert [entry["id"] for entry in out["api_keys"]["keys"]][-1] == other.pk
    assert len(out["api_keys"]["keys"]) == 5
    assert out["state"]["keys"]["nvidia-1"] == sample["state"]["keys"]["nvidia-1"]
    assert_books_balance()


def test_a_butler_that_never_imported_exports_what_it_has_for_another(people):
    add_key("openai-1", provider="openai", per_day=100_000)
    lent = allocate(tokens=50_000)
    report(lent, 20_000)
    out = exported()
    out["api_keys"]["keys"][0]["apiKey"] = "sk-not-a-real-key"
    assert out["state"]["keys"]["openai-1"]["usage"]["daily"]["used"] == 20_000
    assert out["state"]["allocations"][lent.session_id]["allocated"] == 50_000
    assert "usage_update" in {entry["type"] for entry in out["state"]["history"]}
    forget_everything()
    import_state(out, now=NOON)
    day = window("key:openai-1")
    assert (day.used, day.committed) == (20_000, 30_000)
    assert exported() == without_secrets(out)
    assert_books_balance()


def windows_of_keys():
    """Each open window by its unit and period."""
    rows = Window.objects.filter(closed_at=None, scope__startswith="key:").select_related("limit")
    return {
        (row.unit, row.limit.period): (
            *(row.starts_at, row.ends_at, row.amount, row.carried, row.used, row.committed),
            *(row.limit.amount, row.limit.carry_over_max, row.limit.zone, row.limit.reset_hour),
        )
        for row in rows
    }


def test_limits_of_all_periods_and_what_they_carried_over_go_to_another_butler(people):
    api_key = add_key("openai-1", provider="openai", per_day=None)
    for period in ("hour", "day", "week", "month", "quarter", "year", "total"):
        cap = None if period == "total" else 70_000
        limit(api_key, 100_000, period=period, carry_over_max=cap, zone="Europe/Berlin")
    limit(api_key, 90, unit="usd", period="week", carry_over_max="2.5", zone="Europe/Berlin")
    times = [timedelta(days=-1), timedelta(hours=-2), timedelta(minutes=-5), timedelta(0)]
    for number, ago in enumerate(times, 1):
        now = NOON + timedelta(days=150) + ago
        report(allocate(tokens=20_000, now=now, ttl_seconds=200_000), number * 1_000, now=now)
    now = NOON + timedelta(days=150)
    keys.open_windows(now=now)
    there = windows_of_keys()
    assert there["tokens", "hour"][3] > 0
    out = exported(now=now)
    limits = out["api_keys"]["keys"][0]["limits"]
    assert (limits["weekly"], limits["weeklyUsd"], limits["yearly"]) == (100_000, 90, 100_000)
    assert limits["carryOver"]["weeklyUsd"] == 2.5
    assert (limits["timezone"], limits["resetHour"]) == ("Europe/Berlin", 0)
    out["api_keys"]["keys"][0]["apiKey"] = "sk-not-a-real-key"
    forget_everything()
    import_state(out, now=now)
    assert windows_of_keys() == there
    assert exported(now=now) == without_secrets(out)
    assert_books_balance()


def test_what_was_carried_over_into_a_day_that_is_over_is_not_imported(people):
    limit(add_key("openai-1", provider="openai", per_day=None), 1_000, carry_over_max=500)
    keys.open_windows(now=NOON + timedelta(days=1))
    out = exported(now=NOON + timedelta(days=1))
    assert out["state"]["keys"]["openai-1"]["usage"]["carriedOver"] == {"daily": 500}
    assert out["state"]["keys"]["openai-1"]["usage"]["daily"]["limit"] == 1_000
    forget_everything()
    out["state"]["timestamp"] = "2026-03-15T12:00:00Z"
    import_state(out, now=NOON + timedelta(days=5))
    assert window("key:openai-1").carried == 0


def _change(document, path, value):
    *parents, last = path
    for name in parents:
        document = document[name]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["api_keys", "keys", 0, "limits", "weekly"], -1, "/limits/weekly: expected 0 or more"),
        (["api_keys", "keys", 0, "limits", "carryOver"], {"daily": "x"}, "/carryOver/daily: exp"),
        (["state", "timestamp"], "soon", "/timestamp: expected a moment"),
        (["state", "timestamp"], "2026-03-10T12:00:00", "/timestamp: expected a moment"),
        (
            ["state", "timestamp"],
            "2026-03-11T12:00:00Z",
            "/timestamp: expected a moment that is not in the future",
        ),
        (["state", "keys"], [], "/keys: expected object"),
        (["state", "keys", "ghost"], {}, "/keys/ghost: expected a key of api-keys.json"),
        (
            ["state", "keys", "nvidia-1", "usage", "daily", "used"],
            -1,
            "/keys/nvidia-1/usage/daily/used: expected 0 or more",
        ),
        (
            ["state", "keys", "nvidia-1", "usage", "daily", "used"],
            "12",
            "/keys/nvidia-1/usage/daily/used: expected integer",
        ),
        (["state", "allocations", "s"], {}, "/allocations/s: expected a member 'keyId'"),
        (["state", "allocations", "a/b~c"], {}, "/allocations"),
        (
            ["state", "allocations", "session-live", "keyId"],
            "ghost",
            "/allocations/session-live/keyId: expected a key",
        ),
        (["state", "history", 1, "type"], "magic", "/history/1/type: expected one of allocation"),
        (["state", "alerts", 0, "severity"], "loud", "/alerts/0/severity: expected one of info"),
        (["api_keys", "keys", 0, "id"], "nvidia 1", "/keys/0/id: expected a name"),
        (
            ["api_keys", "keys", 1, "id"],
            "nvidia-1",
            "/keys/1/id: expected an id that no other key has",
        ),
        (["api_keys", "keys", 0, "apiKey"], {"x": "canary"}, "/keys/0/apiKey: expected string"),
        (["api_keys", "keys", 2, "model"], "no-such-model", "/keys/2/costPer1kTokens: "),
        (["api_keys", "keys", 0, "limits", "timezone"], "Mars", "/limits/timezone: expected an"),
        (["api_keys", "keys", 1, "costPer1kTokens", "input"], -1, "/input: expected 0 or more"),
    ],
)
def test_a_malformed_file_says_where_and_changes_nothing(sample, path, value, says):
    _change(sample, path, value)
    with pytest.raises(files.MalformedFile) as refusal:
        import_state(sample)
    assert says in refusal.value.detail
    assert "canary" not in refusal.value.detail
    for model in (ApiKey, CostCentre, Agent, Allocation, AuditEntry, Alert, ImportedState):
        assert not model.objects.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"keys": [}', "line 1, column 11"),
        (b'{\n "a": 1,\n}', "line 3, column 1"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b'{"a": 1, "a": 2}', 'has "a" twice'),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1e999}', "1e999 is not a number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "line 1, column 1"),
    ],
)
def test_a_file_that_is_not_json_is_refused_with_line_and_column(tmp_path, content, says):
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(CommandError) as refusal:
        call_command("import_state", str(tmp_path / "state.json"), str(DATA / files.KEYS_FILE))
    assert says in str(refusal.value)
    assert "state.json" in str(refusal.value)


@pytest.mark.django_db(transaction=True)
def test_the_commands_speak_files(sample, tmp_path):
    out = io.StringIO()
    given = [str(DATA / files.STATE_FILE), str(DATA / files.KEYS_FILE)]
    call_command("import_state", *given, stdout=out)
    assert "Imported 4 API keys, 3 allocations" in out.getvalue()
    assert "1 keys are inactive" in out.getvalue()
    call_command("export_state", str(tmp_path / "out"), stdout=out)
    written = {
        "state": files.read(tmp_path / "out" / files.STATE_FILE),
        "api_keys": files.read(tmp_path / "out" / files.KEYS_FILE),
    }
    assert written["api_keys"] == without_secrets(sample)["api_keys"]
    assert written["state"]["history"] == sample["state"]["history"]
    assert (tmp_path / "out" / files.STATE_FILE).stat().st_mode & 0o777 == 0o600
    call_command("import_state", *given, stdout=out)
    assert "already imported" in out.getvalue()
