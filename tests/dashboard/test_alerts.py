"""The inbox of alerts: what it lists, and what people may do to one or to many."""

from datetime import date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from alerts import kinds, services
from alerts.models import Alert, Notification
from common import links
from dashboard.alerts.forms import snooze_end
from dashboard.alerts.remedies import PERMISSIONS
from dashboard.live import pages
from dashboard.live.audience import audience_of
from gate.models import CentreBinding
from gateway.alert_kinds import REQUEST_REFUSED
from keys import services as keys
from keys.alert_kinds import KEY_BROKEN, KEY_COOLING, SESSION_EXHAUSTED
from security.models import AuditEntry
from tests.actors import GRACE
from tests.alerts.builders import BOB, channel, raised
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db
QUERIES = 10


@pytest.fixture
def broken(people, now):
    """A key is broken."""
    add_key("nvidia-1")
    return raised(
        kind=KEY_BROKEN,
        dedup_key="key_broken:nvidia-1",
        title="nvidia-1 is broken",
        detail="401 invalid key",
        key_id="nvidia-1",
        now=now,
    )


@pytest.fixture
def refused(people, now):
    """A provider refused requests of ada's seven times."""
    return raised(
        kind=REQUEST_REFUSED,
        dedup_key="request_refused:ada",
        title="A provider refused a request of ada",
        agent_id="ada",
        facts={"times": 7},
        now=now,
    )


def html_of(client, path="/alerts", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def titles(client, **query):
    """What the page lists, in its order."""
    groups = client.get("/alerts", query).context["groups"]
    return [line.alert.title for group in groups for line in group.lines]


def act(client, name, *alerts, note="as agreed", **asked):
    ids = "".join(f"&alert={alert.pk}" for alert in alerts)
    path = f"/alerts?act={name}{ids}"
    return unescape(client.post(path, {"note": note, **asked}, follow=True).content.decode())


def person(client, *codenames, centre=None):
    """A client signed in as carol, who has these permissions, and those of a part of the tree."""
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if centre:
        CentreBinding.objects.create(person=carol, cost_centre_id=centre)
    client.force_login(carol)
    return client


def test_alerts_say_what_happened_what_it_means_what_to_do_and_how_often(staff, broken, refused):
    html = html_of(staff)
    assert titles(staff) == [broken.title, refused.title]
    for text in (broken.detail, KEY_BROKEN.meaning, KEY_BROKEN.remedy, "happened 7 times"):
        assert text in html
    assert 'href="/keys/nvidia-1">Open the key' in html


def test_those_of_one_kind_are_together_and_in_it_those_of_one_subject(staff, now, people):
    for number, (kind, key) in enumerate(
        [(KEY_COOLING, "b"), (KEY_BROKEN, "a"), (KEY_COOLING, "a"), (KEY_COOLING, "b")]
    ):
        raised(kind=kind, dedup_key=str(number), title=f"{number} {key}", key_id=key, now=now)
    groups = staff.get("/alerts").context["groups"]
    listed = [(group.title, [line.alert.title for line in group.lines]) for group in groups]
    assert listed == [("Key broken", ["1 a"]), ("Key cooling", ["3 b", "0 b", "2 a"])]


def test_what_is_raised_again_and_again_says_so(staff, broken, now):
    services.resolve(broken.pk, actor=BOB, now=now)
    again = {"kind": KEY_BROKEN, "dedup_key": broken.dedup_key, "title": "Again"}
    raised(**again, now=now)
    assert "raised 2 times in 30 days" in html_of(staff)


def test_tabs_count_and_lead_to_each_stage(staff, broken, refused, now):
    old = raised(dedup_key="old", title="Long ago", now=now)
    services.resolve(old.pk, actor=BOB, note="bought another key", now=now)
    services.acknowledge(broken.pk, actor=BOB, note="calling them", now=now)
    services.snooze(refused.pk, until=now + timedelta(days=1), actor=BOB, note="known", now=now)
    tabs = staff.get("/alerts").context["tabs"]
    assert [(tab.stage, tab.count) for tab in tabs] == [
        ("open", "0"),
        ("acknowledged", "1"),
        ("snoozed", "1"),
        ("resolved", "1"),
    ]
    assert titles(staff) == []
    assert "No alert is open." in html_of(staff)
    for tab, title, said in (
        (tabs[1], broken.title, "acknowledged by bob: “calling them”"),
        (tabs[2], refused.title, "by bob: “known”"),
        (tabs[3], old.title, "by bob: “bought another key”"),
    ):
        html = html_of(staff, tab.url)
        assert title in html
        assert said in html


@pytest.mark.parametrize(
    "query",
    [
        {"stage": "nonsense", "severity": "loud", "after": "x"},
        {"after": "999999"},
        {"after": "-1"},
        {"kind": "x" * 900, "act": "nothing", "alert": "9" * 30},
        {"act": "resolve"},
        {"act": "resolve", "alert": "4711"},
        {"select": "all", "format": "pdf"},
    ],
)
def test_a_query_that_cannot_be_read_is_no_error(staff, broken, query):
    html_of(staff, **query)


def test_alerts_are_filtered_by_kind_and_severity(staff, broken, refused):
    assert titles(staff, kind="request_refused") == [refused.title]
    assert titles(staff, severity="critical") == [broken.title]
    assert "No open alert is as you asked." in html_of(staff, kind="nonsense")


def test_many_alerts_take_as_many_queries_as_few_and_are_paged(
    staff, broken, now, django_assert_num_queries
):
    html_of(staff)
    for number in range(60):
        raised(dedup_key=f"many-{number}", title=f"No. {number}", now=now)
    with django_assert_num_queries(QUERIES):
        html = html_of(staff)
    assert "after=50" in html
    assert len(titles(staff, after="50")) == 11


def test_an_empty_installation_says_what_alerts_are(staff):
    html = html_of(staff)
    assert "No alerts so far" in html
    assert links.url("channels") in html


def test_nothing_selected_is_said(staff, broken):
    assert "Select at least one alert first." in html_of(staff, act="resolve")


def test_all_are_selected_without_a_script(staff, broken, refused):
    assert html_of(staff).count(" checked>") == 0
    assert html_of(staff, select="all").count(" checked>") == 2


def test_a_dialog_names_what_it_is_about_and_leads_back(staff, broken, refused):
    html = html_of(staff, "/alerts", act="snooze", alert=[broken.pk, refused.pk], kind="")
    assert "Snooze: 2 alerts" in html
    assert f"<li>{broken.title}</li>" in html
    assert "Snooze: nvidia-1 is broken" in html_of(staff, f"/alerts/{broken.pk}", act="snooze")


def test_many_are_acknowledged_snoozed_and_resolved_at_once(staff, broken, refused, now):
    assert "Acknowledged: 2 alerts." in act(staff, "acknowledge", broken, refused)
    assert set(Alert.objects.values_list("acknowledged_by", "acknowledged_note")) == {
        ("grace", "as agreed")
    }
    assert "Snoozed: 2 alerts." in act(staff, "snooze", broken, refused, until="week")
    assert titles(staff, stage="snoozed") == [broken.title, refused.title]
    assert "Resolved: 2 alerts." in act(staff, "resolve", broken, refused)
    actions = AuditEntry.objects.filter(actor_name="grace").values_list("action", "reason")
    assert set(actions) == {
        (f"alert.{verb}", "as agreed") for verb in ("acknowledge", "snooze", "resolve")
    }


def test_acts_are_undone(staff, broken):
    act(staff, "acknowledge", broken)
    assert "Open again: nvidia-1 is broken." in act(staff, "withdraw", broken)
    act(staff, "snooze", broken, until="hour")
    assert "Back from the snooze: nvidia-1 is broken." in act(staff, "wake", broken, note="")
    act(staff, "resolve", broken)
    assert "Reopened: nvidia-1 is broken." in act(staff, "reopen", broken)
    assert titles(staff) == [broken.title]


def test_the_second_of_two_people_is_told_what_the_first_did(staff, broken, refused, now):
    services.acknowledge(broken.pk, actor=BOB, now=now)
    assert "it is acknowledged by bob already." in act(staff, "acknowledge", broken, refused)
    assert "it is acknowledged by grace already." in act(staff, "acknowledge", refused)
    services.snooze(broken.pk, until=now + timedelta(days=9), actor=BOB, now=now)
    assert "was already snoozed by bob" in act(staff, "snooze", broken, until="hour")
    services.resolve(broken.pk, actor=BOB, now=now)
    for name, more in (("acknowledge", {}), ("resolve", {}), ("snooze", {"until": "hour"})):
        assert "was already resolved by bob" in act(staff, name, broken, **more)
    assert Alert.objects.get(pk=broken.pk).resolved_by == "bob"


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        ("resolve", {"note": ""}, "This field is required."),
        ("snooze", {}, "This field is required."),
        ("snooze", {"until": "date"}, "Choose a date in the next 12 months."),
        ("snooze", {"until": "date", "on": "2020-01-01"}, "Choose a date in the next 12 months."),
        ("snooze", {"until": "date", "on": "9999-12-31"}, "Choose a date in the next 12 months."),
        ("snooze", {"until": "date", "on": "soon"}, "Enter a valid date."),
        ("snooze", {"until": "never"}, "Select a valid choice."),
        ("acknowledge", {"note": "x" * 301}, "at most 300 characters"),
    ],
)
def test_an_error_is_said_in_the_dialog_and_nothing_is_changed(staff, broken, name, asked, says):
    html = act(staff, name, broken, **asked)
    assert says in html
    assert "<dialog" in html
    broken.refresh_from_db()
    assert (broken.status, broken.snoozed_until) == ("open", None)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("choice", "on", "local", "expected"),
    [
        ("hour", None, "2026-03-10T12:00", "2026-03-10T13:00"),
        ("tomorrow", None, "2026-03-10T00:30", "2026-03-11T09:00"),
        # The clocks go forward and back in the night.
        ("tomorrow", None, "2026-03-28T23:30", "2026-03-29T09:00"),
        ("tomorrow", None, "2026-10-24T23:30", "2026-10-25T09:00"),
        ("week", None, "2026-03-10T12:00", "2026-03-17T12:00"),
        ("date", date(2026, 4, 1), "2026-03-10T12:00", "2026-04-01T09:00"),
    ],
)
def test_a_snooze_ends_on_the_clocks_of_the_organisation(choice, on, local, expected):
    now = datetime.fromisoformat(local).replace(tzinfo=BERLIN)
    end = snooze_end(choice, on, zone=BERLIN, now=now)
    assert end == datetime.fromisoformat(expected).replace(tzinfo=BERLIN)


def test_tomorrow_is_that_of_the_reporting_zone(staff, broken, now):
    keys.change_organisation(
        reporting_zone="Pacific/Chatham", actor=GRACE, reason="we moved", now=now
    )
    act(staff, "snooze", broken, until="tomorrow")
    broken.refresh_from_db()
    local = broken.snoozed_until.astimezone(ZoneInfo("Pacific/Chatham"))
    assert (local.hour, local.minute) == (9, 0)


def test_the_page_of_one_has_its_history_deliveries_and_earlier_ones(staff, people, now):
    channel("json://hooks.example.org/x")
    first = raised(kind=KEY_BROKEN, title="Broken in March", dedup_key="a", now=now)
    services.resolve(first.pk, actor=BOB, note="new secret", now=now)
    alert = raised(kind=KEY_BROKEN, dedup_key="b", key_id="nvidia-1", now=now)
    services.acknowledge(alert.pk, actor=BOB, note="looking", now=now)
    html = html_of(staff, f"/alerts/{alert.pk}")
    for text in ("alert.acknowledge", "“looking”", "Broken in March", "“new secret”", "queued"):
        assert text in html
    assert links.url("notification", Notification.objects.get(alert=alert).pk) in html
    assert 'href="/keys/nvidia-1"' in html
    assert staff.get("/alerts/4711").status_code == 404


def test_an_act_on_the_page_of_one_leads_back_there(staff, broken):
    answer = staff.post(f"/alerts/{broken.pk}?act=acknowledge", {"note": ""}, follow=True)
    assert answer.redirect_chain[0][0].startswith(f"/alerts/{broken.pk}")
    assert "act=withdraw" in answer.content.decode()


def test_an_alert_of_another_system_says_so(staff, now):
    alert = raised(now=now)
    Alert.objects.update(kind="foreign")
    for path in ("/alerts", f"/alerts/{alert.pk}"):
        assert "This kind of alert comes from another system." in html_of(staff, path)


def test_who_may_only_look_changes_nothing_and_sees_no_more_than_alerts(client, broken):
    person(client, "view_alert")
    html = html_of(client, f"/alerts/{broken.pk}", act="resolve")
    assert '<dialog class="act"' not in html
    assert 'href="?act=' not in html
    # Nor the key, its deliveries or the audit.
    for text in ("/keys/nvidia-1", "Notifications", "Changes"):
        assert text not in html
    assert 'type="checkbox"' not in html_of(client)
    for name in ("acknowledge", "snooze", "resolve", "reopen", "nonsense"):
        answer = client.post(f"/alerts?act={name}&alert={broken.pk}", {"note": "x"})
        assert answer.status_code == 403
    broken.refresh_from_db()
    assert broken.status == "open"


def test_without_the_permission_there_is_no_page(client, broken):
    person(client, "view_apikey")
    for path in ("/alerts", f"/alerts/{broken.pk}", "/alerts?format=csv"):
        assert client.get(path).status_code == 403


def test_who_is_bound_to_a_cost_centre_sees_and_changes_only_alerts_of_its_agents(
    client, broken, refused, now
):
    strange = raised(
        kind=SESSION_EXHAUSTED, dedup_key="c", title="Carol is out", agent_id="carol", now=now
    )
    person(client, "view_alert", "change_alert", centre="research")
    assert titles(client) == [refused.title]
    assert [tab.count for tab in client.get("/alerts").context["tabs"]] == ["1", "0", "0", "0"]
    assert 'waiting">1<' in html_of(client)
    for alert in (strange, broken):
        assert client.get(f"/alerts/{alert.pk}").status_code == 404
        assert client.post(f"/alerts?act=resolve&alert={alert.pk}").status_code == 403
    assert "Resolved: A provider refused" in act(client, "resolve", refused, strange)
    strange.refresh_from_db()
    assert strange.status == "open"


def test_every_page_of_a_remedy_has_its_permission(db):
    assert {kind.page for kind in kinds.all_kinds().values()} <= PERMISSIONS.keys()
    known = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.all()}
    assert set(PERMISSIONS.values()) <= known


def test_the_rail_and_what_waits_lead_here_and_leave_out_snoozed_ones(staff, broken, now):
    assert f'href="/alerts/{broken.pk}"' in html_of(staff, "/")
    assert 'waiting">1<' in html_of(staff, "/")
    services.snooze(broken.pk, until=now + timedelta(hours=1), actor=BOB, now=now)
    html = html_of(staff, "/")
    assert 'waiting">1<' not in html
    assert broken.title not in html


def test_an_alert_is_found_by_its_id(staff, broken):
    assert f'href="/alerts/{broken.pk}"' in html_of(staff, "/search", q=str(broken.pk))


def test_the_default_view_is_told_which_alerts_are_open_and_others_are_not_live(
    staff, broken, refused, now
):
    root = get_user_model().objects.get(username="grace")
    rendered = pages.find("alerts").render(audience_of(root), now)
    names = f"alert-{broken.pk} alert-{refused.pk}"
    assert names in rendered
    html = html_of(staff)
    assert names in html
    assert f'id="alert-{broken.pk}"' in html
    assert "live-source" in html
    assert "live-source" not in html_of(staff, stage="open")
    services.snooze(broken.pk, until=now + timedelta(hours=1), actor=BOB, now=now)
    assert names not in pages.find("alerts").render(audience_of(root), now)
    assert names in pages.find("alerts").render(audience_of(root), now + timedelta(hours=1))


def test_the_file_has_the_alerts_of_the_tab(staff, broken, refused, now):
    services.acknowledge(refused.pk, actor=BOB, note="=1+1", now=now)
    answer = staff.get("/alerts", {"format": "csv", "stage": "acknowledged"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("Alert,What happened,Severity,Status,Kind")
    assert "A provider refused a request of ada,warning,acknowledged,request_refused" in lines[1]
    assert "'=1+1" in lines[1]
    assert broken.title not in "".join(lines)
