"""What providers say of keys, and what operators decide."""

from datetime import timedelta

import pytest

from alerts.models import Alert
from keys import services as keys
from keys.models import Allocation, ApiKey
from keys.refusals import ApiKeyNotFound, NoKeyCapacity, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR, GATEWAY, OLGA
from tests.books import assert_books_balance
from tests.keys import builders
from tests.keys.builders import FREE, add_key, allocate, limit, report
from tests.moments import NOON
from tests.queue import queue_size

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def refuse(finding, *, slug="nvidia-1", now=NOON, **about):
    """The provider answers the key."""
    return builders.refuse(slug, finding, actor=GATEWAY, now=now, **about)


def switch(status, *, slug="nvidia-1", now=NOON):
    """An operator switches the key."""
    return keys.set_key_status(slug, status=status, reason="because", actor=OLGA, now=now)


def standing(slug="nvidia-1"):
    """Kind and severity of the alerts that stand about a key."""
    return list(Alert.objects.unresolved().of_key(slug).values_list("kind", "severity"))


def test_an_invalid_key_is_broken_and_lent_no_more(people):
    add_key("nvidia-1")
    assert refuse("invalid").status == "broken"
    assert ApiKey.objects.get().status_reason == "the provider said no"
    assert standing() == [("key_broken", "critical")]
    assert queue_size() == 1
    with pytest.raises(NoKeyCapacity):
        allocate(now=NOON + 100 * HOUR)
    keys.revive_keys(now=NOON + 100 * HOUR)
    assert ApiKey.objects.get().status == "broken"


def test_a_key_that_must_wait_cools_until_then_and_becomes_active_by_itself(people):
    add_key("nvidia-1")
    assert refuse("rate_limited", wait_seconds=90).cooling_until == NOON + timedelta(seconds=90)
    assert standing() == [("key_cooling", "warning")]
    with pytest.raises(NoKeyCapacity):
        allocate(now=NOON + timedelta(seconds=89))
    # Whether or not the job ran.
    assert allocate(now=NOON + timedelta(seconds=90))
    assert keys.revive_keys(now=NOON + timedelta(seconds=90)) == 1
    assert ApiKey.objects.get().status == "active"
    assert standing() == []
    assert keys.revive_keys(now=NOON + timedelta(seconds=90)) == 0


def test_a_shorter_wait_never_ends_a_longer_one(people):
    add_key("nvidia-1")
    refuse("rate_limited", wait_seconds=900)
    assert refuse("rate_limited", wait_seconds=1).cooling_until == NOON + timedelta(seconds=900)


def test_a_wait_is_a_day_at_most_and_a_minute_by_default(people):
    add_key("nvidia-1")
    assert refuse("rate_limited").cooling_until == NOON + timedelta(seconds=60)
    assert refuse("rate_limited", wait_seconds=10**9).cooling_until == NOON + timedelta(days=1)


@pytest.mark.parametrize("before", ["inactive", "broken"])
@pytest.mark.parametrize("finding", ["rate_limited", "no_credit", "doubtful"])
def test_a_late_no_does_not_bring_back_a_key_that_is_off_or_broken(people, before, finding):
    add_key("nvidia-1")
    switch("inactive") if before == "inactive" else refuse("invalid")
    assert refuse(finding).status == before
    keys.revive_keys(now=NOON + HOUR)
    assert ApiKey.objects.get().status == before


def test_a_cooling_key_that_breaks_raises_the_critical_alert(people):
    add_key("nvidia-1")
    refuse("rate_limited")
    refuse("invalid")
    refuse("invalid")
    assert standing() == [("key_broken", "critical")]
    assert Alert.objects.count() == 2


def test_a_key_without_credit_cools_a_quarter_of_an_hour_and_somebody_is_told_to_pay(people):
    add_key("nvidia-1")
    assert refuse("no_credit").cooling_until == NOON + timedelta(seconds=900)
    assert standing() == [("key_no_credit", "critical")]
    with pytest.raises(NoKeyCapacity):
        allocate(now=NOON + timedelta(seconds=899))
    assert allocate(now=NOON + timedelta(seconds=900))


def test_an_alert_of_another_kind_about_the_same_key_takes_the_place_of_the_first(people):
    add_key("nvidia-1")
    refuse("rate_limited")
    refuse("rate_limited")
    refuse("no_credit")
    assert standing() == [("key_no_credit", "critical")]
    refuse("rate_limited", now=NOON + HOUR)
    assert standing() == [("key_cooling", "warning")]
    assert Alert.objects.count() == 3


def test_a_doubtful_key_is_suspended_and_the_alert_names_whose_request_began_it(people):
    add_key("nvidia-1")
    key = refuse("doubtful", agent_id="ada", session_id="ses-1")
    assert (key.status, key.cooling_until) == ("suspended", NOON + timedelta(seconds=60))
    alert = Alert.objects.get()
    assert (alert.kind, alert.agent_id, alert.session_id) == ("key_suspended", "ada", "ses-1")
    assert "request of ada, session ses-1" in alert.detail
    assert queue_size() == 1
    with pytest.raises(NoKeyCapacity):
        allocate(now=NOON + timedelta(seconds=59))
    # Whether or not any job ran.
    assert allocate(now=NOON + timedelta(seconds=60))
    assert keys.revive_keys(now=NOON + timedelta(seconds=60)) == 1
    assert ApiKey.objects.get().status == "active"
    assert standing() == []
    assert_books_balance()


def test_a_suspended_key_that_the_provider_accepts_is_active_and_its_alert_is_resolved(people):
    add_key("nvidia-1")
    refuse("doubtful")
    assert keys.key_accepted("nvidia-1", actor=GATEWAY, now=NOON).status == "active"
    assert standing() == []
    assert allocate()


def test_each_doubt_lasts_twice_as_long_up_to_an_hour_until_the_key_is_accepted(people):
    add_key("nvidia-1")
    lasts = [int((refuse("doubtful").cooling_until - NOON).total_seconds())]
    for _ in range(8):
        key = keys.prolong_suspension("nvidia-1", reason="no answer", actor=GATEWAY, now=NOON)
        lasts.append(int((key.cooling_until - NOON).total_seconds()))
    assert lasts == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    # Its time is over, and the next doubt goes on from there.
    later = NOON + HOUR
    keys.revive_keys(now=later)
    assert refuse("doubtful", now=later).cooling_until == later + HOUR
    keys.key_accepted("nvidia-1", actor=GATEWAY, now=later)
    assert refuse("doubtful", now=later).cooling_until == later + timedelta(seconds=60)


@pytest.mark.parametrize("before", ["active", "cooling", "inactive", "broken"])
def test_a_late_probe_changes_nothing_of_a_key_that_is_not_suspended(people, before):
    add_key("nvidia-1")
    if before == "inactive":
        switch("inactive")
    elif before != "active":
        refuse({"cooling": "rate_limited", "broken": "invalid"}[before])
    assert keys.key_accepted("nvidia-1", actor=GATEWAY, now=NOON).status == before
    late = keys.prolong_suspension("nvidia-1", reason="x", actor=GATEWAY, now=NOON)
    assert (late.status, late.suspended_times) == (before, 0)


def test_a_doubt_and_a_rate_limit_leave_each_other_alone_while_they_last(people):
    add_key("nvidia-1")
    assert refuse("rate_limited").status == "cooling"
    assert refuse("doubtful").status == "cooling"
    later = NOON + HOUR
    assert refuse("doubtful", now=later).status == "suspended"
    assert refuse("rate_limited", wait_seconds=9_000, now=later).status == "suspended"
    assert refuse("invalid", now=later).status == "broken"


def test_a_wait_of_a_part_of_a_second_is_kept(people):
    add_key("nvidia-1")
    assert refuse("rate_limited", wait_seconds=1.5).cooling_until == NOON + timedelta(seconds=1.5)


def test_sessions_of_a_suspended_key_are_moved_by_the_sweep(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    allocation = allocate()
    refuse("doubtful")
    assert keys.rotate_stranded(now=NOON) == (1, 0)
    allocation.refresh_from_db()
    assert allocation.api_key_id == "nvidia-2"
    assert_books_balance()


def test_other_statuses_and_unknown_keys_are_refused_and_change_nothing(people):
    add_key("nvidia-1")
    with pytest.raises(ApiKeyNotFound):
        refuse("invalid", slug="nobody")
    with pytest.raises(WrongValue):
        switch("exhausted")
    with pytest.raises(ApiKeyNotFound):
        switch("active", slug="nobody")
    assert ApiKey.objects.get().status == "active"
    assert queue_size() == 0


def test_switching_off_moves_live_allocations_and_switching_on_resolves_alerts(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    allocation = allocate()
    switch("inactive")
    assert keys.rotate_away("nvidia-1", now=NOON) == (1, 0)
    assert keys.rotate_away("nvidia-1", now=NOON) == (0, 0)
    allocation.refresh_from_db()
    assert allocation.api_key_id == "nvidia-2"
    refuse("invalid")
    switch("active")
    assert standing() == []
    assert allocate().api_key_id == "nvidia-1"
    assert_books_balance()


def test_a_key_without_another_keeps_its_allocations_until_the_sweep_finds_one(people):
    add_key("nvidia-1")
    allocate()
    refuse("invalid")
    assert keys.rotate_away("nvidia-1", now=NOON) == (0, 1)
    add_key("nvidia-2")
    assert keys.rotate_stranded(now=NOON) == (1, 0)
    assert Allocation.objects.get().api_key_id == "nvidia-2"
    assert_books_balance()


def test_a_key_whose_limit_is_used_up_is_exhausted_until_its_window_turns(people):
    add_key("nvidia-1", per_day=20_000)
    allocation = allocate(tokens=20_000, auto_rotate=False)
    report(allocation, 20_000)
    assert ApiKey.objects.get().status == "exhausted"
    assert ("key_exhausted", "warning") in standing()
    assert keys.revive_keys(now=NOON) == 0
    tomorrow = NOON + timedelta(days=1)
    # Choosing looks at the windows, not at the status.
    assert allocate(tokens=20_000, now=tomorrow)
    assert keys.revive_keys(now=tomorrow) == 1
    assert ("key_exhausted", "warning") not in standing()
    assert_books_balance()


def test_an_exhausted_key_whose_limit_is_raised_has_room_again(people):
    api_key = add_key("nvidia-1", per_day=20_000)
    report(allocate(tokens=20_000), 20_000)
    limit(api_key, 50_000)
    assert keys.revive_keys(now=NOON) == 1
    assert allocate()
    assert_books_balance()


def test_every_change_is_in_the_history(people):
    add_key("nvidia-1")
    refuse("rate_limited")
    switch("inactive")
    changes = AuditEntry.objects.filter(action="key.change_status").order_by("id")
    assert [(c.actor, c.before["status"], c.after["status"]) for c in changes] == [
        ("gateway", "active", "cooling"),
        ("olga", "cooling", "inactive"),
    ]


def test_a_key_without_a_secret_is_off_until_it_has_one(people):
    terms = keys.KeyTerms(provider="nvidia", model="m", rates=FREE)
    keys.add_key("nvidia-9", terms=terms, secret=None, actor=ACTOR, now=NOON)
    with pytest.raises(WrongValue):
        keys.set_key_status("nvidia-9", status="active", reason="test", actor=ACTOR, now=NOON)
    keys.replace_secret("nvidia-9", secret="canary", actor=ACTOR, reason="came", now=NOON)
    api_key = keys.set_key_status("nvidia-9", status="active", reason="test", actor=ACTOR, now=NOON)
    assert api_key.lendable(now=NOON)
