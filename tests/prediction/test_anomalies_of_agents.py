"""One incident is one alert; what is expected is not told; freezing by itself is off at first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alerts import services as alerts
from alerts.models import Alert
from keys.models import MEASURES, Charge, Freeze, Placement, UsageSlice
from keys.refusals import WrongValue
from prediction import services as prediction
from prediction.models import Anomaly, AnomalyKind, ExpectedAnomaly
from prediction.queries.unusual_usage import Unusual
from prediction.services import watch_anomalies
from security.models import AuditEntry
from tests.actors import GRACE
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import PAID, add_key, allocate, hold, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATH = "/reports/forecasts"
LOOP = Unusual(kind=AnomalyKind.LOOP, subject="agent:ada", words="Ada goes round.")


@pytest.fixture(autouse=True)
def fleet(people):
    add_key("nvidia-1", per_day=None, rates=PAID)


def told():
    kinds = Alert.objects.filter(kind__startswith="anomaly_").order_by("pk")
    return list(kinds.values_list("kind", "agent_id", "status"))


def see(*seen, now=NOON):
    return watch_anomalies.tell(seen, kinds=(AnomalyKind.LOOP, AnomalyKind.STORM), now=now)


def usage(at, cost=0, *, calls=1, tokens=1_000, agent="ada", **measures):
    figures = dict.fromkeys(MEASURES, 0) | {"calls": calls, "tokens": tokens, "cost": Decimal(cost)}
    return UsageSlice(
        starts_at=at,
        api_key_id="nvidia-1",
        agent_id=agent,
        cost_centre_id="research",
        placement=Placement.objects.get(cost_centre="research"),
        **(figures | measures),
    )


def test_an_incident_is_told_once_and_ends_when_it_is_no_longer_seen():
    assert see(LOOP) == 1
    assert see(LOOP, LOOP, now=NOON + HOUR) == 0
    incident = Anomaly.objects.get()
    assert (incident.seen_at, incident.cost_centre) == (NOON + HOUR, "research")
    assert told() == [("anomaly_loop", "ada", "open")]
    assert see(now=NOON + 2 * HOUR) == 0
    assert told() == [("anomaly_loop", "ada", "resolved")]
    # In the cool-off the same is not told, afterwards it is.
    assert see(LOOP, now=NOON + 3 * HOUR) == 0
    assert see(LOOP, now=NOON + 9 * HOUR) == 1


def test_an_alert_that_a_person_resolved_does_not_come_back_while_it_goes_on():
    see(LOOP)
    alerts.resolve(Alert.objects.get().pk, actor=GRACE, now=NOON)
    assert see(LOOP, now=NOON + HOUR) == 0
    assert Alert.objects.count() == 1


def test_what_is_expected_is_not_told_until_somebody_takes_it_back():
    see(LOOP)
    incident = Anomaly.objects.get()
    about = {"reason": "it polls", "actor": GRACE}
    expected, is_new = prediction.expect_anomaly(incident.pk, now=NOON, **about)
    assert is_new and not prediction.expect_anomaly(incident.pk, now=NOON, **about)[1]
    assert told() == [("anomaly_loop", "ada", "resolved")]
    storm = Unusual(kind=AnomalyKind.STORM, subject="agent:ada", words="It storms.")
    other = Unusual(kind=AnomalyKind.LOOP, subject="agent:carol", words="Carol goes round.")
    assert see(LOOP, storm, other, now=NOON + DAY) == 2
    assert prediction.tell_again(expected.pk, now=NOON + DAY, **about)
    assert not prediction.tell_again(expected.pk, now=NOON + DAY, **about)
    assert see(LOOP, storm, other, now=NOON + 2 * DAY) == 1
    actions = AuditEntry.objects.about("agent:ada").filter(action__startswith="anomaly.")
    assert list(actions.order_by("pk").values_list("action", "reason")) == [
        ("anomaly.expect", "it polls"),
        ("anomaly.tell_again", "it polls"),
    ]


def test_who_is_bound_to_a_cost_centre_decides_on_its_anomalies_alone():
    """Ada is of research, carol of sales."""
    see(LOOP, replace(LOOP, subject="agent:carol", words="Carol goes round."))
    tom = signed_in("tom", role="operator", of="research")
    assert [each in dialog(tom, "expect") for each in ("ada", "carol")] == [True, False]
    theirs = Anomaly.objects.get(subject="agent:carol")
    sent = {"anomaly": theirs.pk, "reason": "not mine"}
    assert tom.post(f"{PATH}?act=expect", sent).status_code == 200
    assert not ExpectedAnomaly.objects.exists()
    for each in Anomaly.objects.all():
        prediction.expect_anomaly(each.pk, reason="it polls", actor=GRACE, now=NOON)
    assert [each in dialog(tom, "tell-again") for each in ("ada", "carol")] == [True, False]


def dialog(client, act):
    return client.get(PATH, {"act": act}).content.decode()


def test_a_kind_freezes_only_after_somebody_said_so():
    see(LOOP)
    assert not Freeze.objects.exists()
    for _ in range(2):
        prediction.set_anomaly_freeze("storm", freezes="yes", reason="x", actor=GRACE, now=NOON)
    storm = Unusual(kind=AnomalyKind.STORM, subject="agent:carol", words="It storms.")
    see(storm, now=NOON + HOUR)
    frozen = Freeze.objects.get()
    assert (frozen.scope, frozen.frozen_by) == ("agent:carol", "anomalies")
    assert "It storms." in frozen.reason
    prediction.set_anomaly_freeze("storm", freezes="no", reason="x", actor=GRACE, now=NOON)
    see(replace(storm, subject="agent:bob"), now=NOON + DAY)
    assert Freeze.objects.count() == 1
    assert AuditEntry.objects.filter(action="anomaly_freeze.set").count() == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: prediction.expect_anomaly(7, reason="x", actor=GRACE, now=NOON),
        lambda: prediction.expect_anomaly(7, reason=" ", actor=GRACE, now=NOON),
        lambda: prediction.set_anomaly_freeze(
            "x", freezes="yes", reason="x", actor=GRACE, now=NOON
        ),
        lambda: prediction.set_anomaly_freeze(
            "loop", freezes="", reason="x", actor=GRACE, now=NOON
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(WrongValue):
        call()


def test_a_loop_is_found_among_the_charges_of_the_last_minutes():
    lent = allocate(tokens=90_000)
    for number in range(8):
        at = NOON + number * timedelta(seconds=20)
        settle(hold(lent, 1_000, now=at), 500, now=at)
    now = NOON + timedelta(minutes=3)
    assert prediction.watch_calls(now=now) == 1
    loop = Anomaly.objects.get()
    assert (loop.kind, loop.subject) == ("loop", "agent:ada")
    assert "ada made 8 calls in a row since 12:00 UTC" in loop.words
    assert lent.session_id in loop.words
    # Six minutes after its last call it is over.
    assert prediction.watch_calls(now=now + timedelta(minutes=6)) == 0
    loop.refresh_from_db()
    assert loop.ended_at


def test_a_session_that_settles_nothing_for_long_is_stuck():
    lent = allocate(tokens=90_000)
    for number in range(3):
        at = NOON + number * timedelta(seconds=20)
        settle(hold(lent, 1_000, now=at), 100 * (number + 1), now=at)
    assert prediction.watch_calls(now=NOON + timedelta(minutes=14)) == 0
    assert prediction.watch_calls(now=NOON + timedelta(minutes=20)) == 1
    assert "settled its last call at 12:00 UTC" in Anomaly.objects.get(kind="stuck").words


def test_a_storm_is_found_among_the_slices_of_half_an_hour():
    UsageSlice.objects.bulk_create([usage(NOON, calls=2, released=15, expired=15)])
    assert prediction.watch_calls(now=NOON + timedelta(minutes=10)) == 1
    assert "30 calls of ada came to nothing since 11:45 UTC" in Anomaly.objects.get().words
    Anomaly.objects.update(ended_at=NOON - DAY)
    UsageSlice.objects.bulk_create([usage(NOON - DAY, calls=2, released=15)])
    assert prediction.watch_calls(now=NOON + timedelta(minutes=10)) == 0


def test_spikes_creep_and_prices_are_found_among_slices_and_days():
    start = datetime(2026, 3, 10, 12, tzinfo=UTC)
    slices = []
    for day in range(1, 57):
        at = start - day * DAY
        # bob has spent more and more for two weeks; the key's tokens doubled two days ago.
        growth = 1.1 ** max(15 - day, 0)
        tokens = 60_000 if day > 2 else 180_000
        slices.append(usage(at, 4, calls=60, tokens=tokens))
        slices.append(usage(at, 10 * growth, agent="bob", calls=60, tokens=tokens))
    slices.extend(usage(start - each * HOUR, 90) for each in (1, 2))
    UsageSlice.objects.bulk_create(slices)
    assert prediction.watch_usage(now=start + timedelta(minutes=7)) == 3
    words = {(each.kind, each.subject): each.words for each in Anomaly.objects.all()}
    assert "ada spent $90.00 in the hour from 11:00 UTC" in words["spike", "agent:ada"]
    assert "bob has spent" in words["creep", "agent:bob"]
    assert "a call needs 3,000 tokens, before 1,000" in words["shift", "key:nvidia-1"]
    assert Alert.objects.get(kind="anomaly_shift").remedy_path == "/keys/nvidia-1"
    assert prediction.watch_usage(now=start + timedelta(minutes=12)) == 0


def test_what_the_last_minutes_say_reads_charges_by_their_time(django_assert_max_num_queries):
    lent = allocate(tokens=90_000)
    settle(hold(lent, 1_000), 100)
    with django_assert_max_num_queries(20) as asked:
        prediction.watch_calls(now=NOON)
        prediction.watch_usage(now=NOON)
    charges = [each["sql"] for each in asked.captured_queries if '"keys_charge"' in each["sql"]]
    assert charges and all("settled_at" in each or "allocation_id" in each for each in charges)
    assert Charge.objects.count() == 1


def test_the_page_shows_anomalies_and_who_may_expects_them(people):
    see(LOOP)
    viewer = signed_in("vera", role="viewer").get(PATH).content.decode()
    assert "Ada goes round." in viewer and "act=expect" not in viewer
    olga = signed_in("olga", role="operator")
    shown = olga.get(f"{PATH}?act=expect").content.decode()
    assert "loop of calls of agent:ada" in shown
    asked = {"anomaly": Anomaly.objects.get().pk, "reason": "it polls"}
    assert olga.post(f"{PATH}?act=expect", asked).status_code == 302
    expected = ExpectedAnomaly.objects.get()
    assert (expected.reason, expected.expected_by) == ("it polls", "olga")
    assert "it polls" in olga.get(PATH).content.decode()
    olga.post(f"{PATH}?act=tell-again", {"expected": expected.pk, "reason": "fixed"})
    assert not ExpectedAnomaly.objects.exists()
    olga.post(f"{PATH}?act=auto-freeze", {"anomalies": "loop", "freezes": "yes", "reason": "x"})
    assert "Frozen by itself at: loop of calls" in olga.get(PATH).content.decode()
    assert signed_in("vic", role="viewer").post(f"{PATH}?act=expect", asked).status_code == 403


def test_a_person_of_another_cost_centre_sees_no_anomaly_of_this_one():
    see(LOOP)
    assert (
        "Ada goes round."
        in signed_in("ruth", role="viewer", of="research").get(PATH).content.decode()
    )
    assert (
        "Ada goes round."
        not in signed_in("sam", role="viewer", of="sales").get(PATH).content.decode()
    )
