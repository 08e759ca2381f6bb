"""The pages of API keys: the worst first, and what people may do to one."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from gate.models import CentreBinding
from keys import jobs
from keys import services as keys
from keys.books.queries.pages import Meter
from keys.models import ApiKey, Freeze, Limit, RotationRun, Window
from prediction.run_rate.exhaustion import Burn, exhausted_at
from security.models import Approval, ApprovalPolicy, AuditEntry
from tests.actors import GRACE
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, limit, report

pytestmark = pytest.mark.django_db
QUERIES, QUERIES_OF_ONE = 13, 20
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
def fleet(people, now):
    """Ada spends on a paid key; another one is broken, one is off, and one does nothing."""
    limit(add_key("nvidia-1", per_day=None, rates=PAID, priority=5), 1_000_000, now=now)
    for name in ("nvidia-2", "nvidia-3", "nvidia-4"):
        add_key(name)
    ApiKey.objects.filter(pk="nvidia-2").update(status="broken", status_reason="401 invalid key")
    keys.set_key_status("nvidia-3", status="inactive", reason="on holiday", actor=GRACE, now=now)
    allocation = allocate(tokens=100_000, now=now, auto_rotate=False, provider="nvidia")
    report(allocation, 80_000, now=now)
    return allocation


def html_of(client, path="/keys", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def names(client, **query):
    """The keys that the page lists, in its order."""
    return [row["key"].value for row in client.get("/keys", query).context["table"].rows]


def meter(free, *, unit="tokens", hours=10):
    return Meter(
        limit_id=1,
        window_id=1,
        scope="key:nvidia-1",
        unit=unit,
        period="day",
        amount=Decimal(free),
        used=Decimal(0),
        committed=Decimal(0),
        zone="UTC",
        starts_at=MIDNIGHT,
        resets_at=MIDNIGHT + timedelta(hours=hours),
    )


@pytest.mark.parametrize(
    ("meters", "burn", "hours"),
    [
        ([meter(500)], Burn(tokens=Decimal(100)), 5),
        ([meter(500), meter(300)], Burn(tokens=Decimal(100)), 3),
        ([meter(500), meter(2, unit="usd")], Burn(Decimal(100), Decimal(1)), 2),
        ([meter(0)], Burn(tokens=Decimal(100)), 0),
        # It resets before.
        ([meter(1001)], Burn(tokens=Decimal(100)), None),
        ([meter(500)], Burn(), None),
        ([meter(10**20)], Burn(tokens=Decimal(1)), None),
        ([], Burn(tokens=Decimal(100)), None),
    ],
)
def test_a_key_is_used_up_when_the_first_of_its_limits_is(meters, burn, hours):
    expected = None if hours is None else MIDNIGHT + timedelta(hours=hours)
    assert exhausted_at(meters, burn, now=MIDNIGHT) == expected


def test_the_worst_key_is_first_and_idle_ones_are_folded(staff, fleet):
    assert names(staff) == ["nvidia-2", "nvidia-1"]
    assert "2 idle keys" in html_of(staff)
    assert names(staff, idle="1") == ["nvidia-2", "nvidia-1", "nvidia-4", "nvidia-3"]


def test_a_key_has_its_status_reason_limits_pace_and_what_it_did_today(staff, fleet, now):
    html = html_of(staff)
    assert "401 invalid key" in html
    assert "80k of 1M tokens a day, 20k committed" in html
    [row] = [row for row in staff.get("/keys").context["table"].rows if row["calls"]]
    assert row["cost"].value == Decimal("0.24")
    assert row["burn"] >= 80_000
    assert row["used"] == 10


def test_released_and_expired_calls_are_counted(staff, fleet, now):
    keys.release(charge=hold(fleet, 100, now=now), now=now)
    hold(fleet, 100, now=now)
    keys.expire_charges(now=now + timedelta(days=1))
    [row] = [row for row in staff.get("/keys").context["table"].rows if row["calls"]]
    assert row["refused"] == 1


def test_a_key_that_will_be_used_up_before_its_reset_says_when(staff, fleet, now):
    Window.objects.filter(scope="key:nvidia-1").update(
        amount=101_000, ends_at=now + timedelta(hours=20)
    )
    [row] = [row for row in staff.get("/keys").context["table"].rows if row["calls"]]
    assert row["exhausted_at"] is None or row["exhausted_at"] > now
    assert "before its reset" in html_of(staff)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "inactive"}, ["nvidia-3"]),
        ({"status": "no such"}, ["nvidia-2", "nvidia-1"]),
        ({"provider": "nvidia"}, ["nvidia-2", "nvidia-1", "nvidia-4", "nvidia-3"]),
        ({"provider": "nobody"}, []),
        ({"sort": "-nonsense", "after": "x", "idle": "2"}, ["nvidia-2", "nvidia-1"]),
        ({"sort": "key"}, ["nvidia-1", "nvidia-2"]),
    ],
)
def test_the_list_is_as_the_query_asks_and_never_fails(staff, fleet, query, expected):
    assert names(staff, **query) == expected


def test_a_frozen_key_is_said_to_be(staff, fleet, now):
    keys.freeze("key:nvidia-1", mode="drain", reason="leak", actor=GRACE, now=now)
    assert names(staff) == ["nvidia-2", "nvidia-1"]
    assert "Somebody froze it." in html_of(staff)
    assert names(staff, status="frozen") == ["nvidia-1"]


def test_a_secret_that_cannot_be_read_is_said_and_no_secret_is(staff, fleet):
    ApiKey.objects.filter(pk="nvidia-2").update(secret=ApiKey.objects.get(pk="nvidia-1").secret)
    assert "The secret cannot be read" in html_of(staff)
    for path in ("/keys", "/keys/nvidia-1", "/keys/nvidia-2"):
        assert "secret-nvidia" not in html_of(staff, path)


def test_the_file_has_the_rows_of_the_page(staff, fleet):
    answer = staff.get("/keys", {"format": "csv", "idle": "1"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("Key,Status,Why,Limits")
    assert [line.partition(",")[0] for line in lines[1:5]] == names(staff, idle="1")


def test_the_tables_of_a_key_are_files(staff, fleet, now):
    adjust(report(allocate("bob", 5000, now=now), 700, now=now), 600, now=now)
    page = staff.get("/keys/nvidia-1")
    for name in ("charges", "allocations", "rotations"):
        table = page.context[name]
        assert (
            f"format=csv&amp;excel=1&amp;table=key-{name}" in page.content.decode()
            or not table.rows
        )
        answer = staff.get("/keys/nvidia-1", {"format": "csv", "table": f"key-{name}"})
        lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))
        assert len(lines[0]) == len(table.columns)
        assert lines.index([]) - 1 == len(table.rows) == table.count, name
    assert [row["tokens"] for row in page.context["charges"].rows] == [600, 80_000]
    assert staff.get("/keys/nothing?format=csv").status_code == 404


def test_a_table_of_a_key_needs_the_permission_for_its_rows(client, fleet):
    vera = get_user_model().objects.create_user("vera", is_staff=True)
    vera.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(vera)
    for name in ("charges", "allocations", "rotations"):
        answer = client.get("/keys/nvidia-1", {"format": "csv", "table": f"key-{name}"})
        assert answer.status_code == 403


def test_an_empty_installation_says_what_to_do_first(staff):
    html = html_of(staff)
    assert "No API keys yet" in html
    assert "/admin/keys/apikey/add/" in html


def test_many_keys_take_as_many_queries_as_few(staff, fleet, django_assert_num_queries):
    html_of(staff)
    with django_assert_num_queries(QUERIES):
        html_of(staff)
    for number in range(60):
        add_key(f"many-{number}")
    with django_assert_num_queries(QUERIES):
        html_of(staff, idle="1")


def test_the_page_of_a_key_shows_its_spend_allocations_charges_rotations_and_changes(
    staff, fleet, now, django_assert_num_queries
):
    keys.rotate(
        allocation=allocate("bob", tokens=5000, now=now),
        key="nvidia-4",
        reason="test",
        actor=GRACE,
        idempotency_key=None,
        now=now,
    )
    html_of(staff, "/keys/nvidia-1")
    with django_assert_num_queries(QUERIES_OF_ONE):
        html = html_of(staff, "/keys/nvidia-1")
    assert "Spend by agent" in html
    assert "$0.24" in html
    assert fleet.session_id[:13] in html
    assert "model-1" in html
    assert "Limit: set" in html
    assert "/keys/nvidia-4" in html
    assert "the secret is sealed" in html


def test_an_unknown_key_is_not_found(staff, fleet):
    assert staff.get("/keys/nothing").status_code == 404


def act(client, name, slug="nvidia-1", **asked):
    return client.post(f"/keys/{slug}?act={name}", {"reason": "as agreed", **asked}, follow=True)


def limit_of(slug):
    return Limit.objects.get(api_key=slug, removed_at=None)


def test_a_limit_is_changed_with_a_reason(staff, fleet):
    answer = act(staff, "limit", limit=limit_of("nvidia-1").pk, amount="90000")
    assert answer.redirect_chain == [("/keys/nvidia-1", 302)]
    assert "The limit of nvidia-1 is 90,000 now." in answer.content.decode()
    assert limit_of("nvidia-1").amount == 90_000
    entry = AuditEntry.objects.filter(action="limit.set").first()
    assert (entry.reason, entry.actor_name) == ("as agreed", "grace")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"amount": "0.5"}, "Use a whole number of tokens"),
        ({"amount": "-1"}, "from 0 to"),
        ({"amount": "much"}, "Enter a number."),
        ({"amount": "90000", "reason": ""}, "This field is required."),
        ({"amount": "90000", "limit": "0"}, "Select a valid choice"),
        ({"amount": "NaN"}, "Enter a number."),
    ],
)
def test_an_error_is_said_beside_its_field_and_nothing_is_lost(staff, fleet, asked, says):
    given = {"limit": limit_of("nvidia-1").pk, "reason": "as agreed", **asked}
    html = unescape(act(staff, "limit", **given).content.decode())
    assert says in html
    assert "<dialog" in html
    assert f'value="{asked["amount"]}"' in html
    assert limit_of("nvidia-1").amount == 1_000_000


def test_a_rise_above_the_value_of_a_policy_waits_for_a_second_person(staff, fleet, now):
    ApprovalPolicy.objects.update_or_create(
        kind="limit", defaults={"in_force_since": now, "tokens_above": 2_000_000}
    )
    answer = act(staff, "limit", limit=limit_of("nvidia-1").pk, amount="3000000")
    assert "A second person must approve this change." in answer.content.decode()
    assert limit_of("nvidia-1").amount == 1_000_000
    assert Approval.objects.get().subject == "key:nvidia-1"


def test_a_limit_of_another_key_cannot_be_changed_here(staff, fleet):
    act(staff, "limit", limit=limit_of("nvidia-4").pk, amount="5")
    assert limit_of("nvidia-4").amount == 1_000_000


def test_a_key_is_paused_and_resumed(staff, fleet):
    assert "nvidia-1 is paused." in act(staff, "pause").content.decode()
    assert ApiKey.objects.get(pk="nvidia-1").status == "inactive"
    assert "act=pause" not in html_of(staff, "/keys/nvidia-1")
    assert "nvidia-1 is active again." in act(staff, "resume").content.decode()
    assert ApiKey.objects.get(pk="nvidia-1").status == "active"


def test_sessions_are_rotated_in_the_name_of_the_person(staff, fleet):
    html = act(staff, "rotate").content.decode()
    assert "1 session will move to other keys." in html
    assert "0 of 1 session moved." in html
    assert 'hx-trigger="every 2s"' in html
    html = act(staff, "rotate").content.decode()
    assert "are being rotated already, because: as agreed" in html
    jobs.rotate_sessions(RotationRun.objects.get().pk)
    html = html_of(staff, "/keys/nvidia-1")
    assert "1 of 1 session moved." in html
    assert 'hx-trigger="every 2s"' not in html
    fleet.refresh_from_db()
    assert fleet.api_key_id == "nvidia-4"
    entry = AuditEntry.objects.get(action="allocation.rotate")
    assert (entry.reason, entry.actor_name) == ("as agreed", "grace")


def test_a_key_is_frozen(staff, fleet):
    assert "nvidia-1 is frozen." in act(staff, "freeze", mode="drain").content.decode()
    assert Freeze.objects.get().scope == "key:nvidia-1"


def test_a_key_is_tested(staff, fleet, monkeypatch):
    ApiKey.objects.filter(pk="nvidia-1").update(base_url="http://127.0.0.1:9")
    answer = act(staff, "test")
    assert "The provider did not say whether it accepts the key." in answer.content.decode()


def test_several_keys_are_tested_at_once(staff, fleet):
    nowhere = "http://127.0.0.1:9/v1"
    ApiKey.objects.update(base_url=nowhere, secret_url=nowhere)
    ApiKey.objects.filter(pk="nvidia-3").update(secret=None)
    assert 'href="/test-keys"' in html_of(staff, "/keys")
    html = html_of(staff, "/test-keys")
    assert html.count(" checked>") == 3
    assert "nvidia-3" not in html
    answer = staff.post("/test-keys", {"key": ["nvidia-1", "nvidia-4", "nvidia-3", "none"]})
    html = unescape(answer.content.decode())
    assert "2 of 2 keys are not known to work" in html
    assert html.count("127.0.0.1:9 takes no connection. Check the base URL") == 2
    assert html.count(" checked>") == 2
    assert "Choose 1 to 100 keys." in staff.post("/test-keys", {"key": "none"}).content.decode()


def test_a_key_is_tested_from_the_admin_too(staff, fleet):
    html = html_of(staff, "/admin/keys/apikey/nvidia-1/change/")
    assert "/admin/keys/apikey/nvidia-1/test/" in html
    answer = staff.get("/admin/keys/apikey/nvidia-1/test/")
    assert answer["Location"] == "/keys/nvidia-1?act=test"
    assert "/admin/keys/apikey/test_several" in html_of(staff, "/admin/keys/apikey/")
    assert staff.get("/admin/keys/apikey/test_several/")["Location"] == "/test-keys"


def test_a_refusal_is_said_in_the_dialog(staff, fleet):
    ApiKey.objects.filter(pk="nvidia-3").update(secret=None)
    html = act(staff, "resume", slug="nvidia-3").content.decode()
    assert "has no secret yet" in html
    assert 'value="as agreed"' in html


def test_acts_are_for_those_with_the_permission(client, fleet):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(carol)
    html = html_of(client, "/keys/nvidia-1", act="pause")
    assert 'href="?act=' not in html
    assert '<dialog class="act"' not in html
    for name in ("limit", "pause", "test", "rotate", "freeze", "nonsense"):
        assert act(client, name).status_code == 403
    assert ApiKey.objects.get(pk="nvidia-1").status == "active"
    # Nor what is behind the figures.
    assert fleet.session_id[:13] not in html
    assert "Spend by agent" not in html


def test_who_is_bound_to_a_cost_centre_sees_no_key(client, fleet):
    dora = get_user_model().objects.create_user("dora", is_staff=True)
    dora.user_permissions.set(Permission.objects.all())
    CentreBinding.objects.create(person=dora, cost_centre_id="research")
    client.force_login(dora)
    for path in ("/keys", "/keys/nvidia-1", "/keys?format=csv"):
        assert client.get(path).status_code == 403


def test_an_agents_name_reaches_no_page_of_a_person_without_staff_rights(client, fleet):
    client.force_login(get_user_model().objects.create_user("eve"))
    assert client.get("/keys").status_code == 302


def test_a_key_that_was_never_lent_is_hidden_and_shown_again(staff, fleet):
    assert "?act=hide" not in html_of(staff, "/keys/nvidia-1")
    asked = {"reason": "mistyped"}
    answer = staff.post("/keys/nvidia-4?act=hide", asked, follow=True)
    assert "nvidia-4 is hidden." in unescape(answer.content.decode())
    assert "nvidia-4" not in names(staff, idle="1")
    assert names(staff, hidden="1") == ["nvidia-4"]
    assert "Hidden since" in html_of(staff, "/keys/nvidia-4")
    staff.post("/keys/nvidia-4?act=show", asked)
    assert "nvidia-4" in names(staff, idle="1")
    assert staff.post("/keys/nvidia-4?act=show", asked).status_code == 403
