"""Acts on alerts are undone, where nothing happened since; random acts keep to the drawing."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from alerts import services
from alerts.models import Alert
from alerts.refusals import AlertNotFound, AlertRaisedAgain, AlertResolved, AlertSnoozed
from tests.alerts.builders import ADA, BOB, raised, recorded
from tests.moments import NOON

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
BY = {"actor": BOB, "now": NOON}


def test_an_acknowledgement_is_withdrawn_once():
    alert = raised()
    services.acknowledge(alert.pk, actor=ADA, note="mine", now=NOON)
    assert services.withdraw_acknowledgement(alert.pk, note="not mine", **BY)[1]
    assert not services.withdraw_acknowledgement(alert.pk, **BY)[1]
    alert.refresh_from_db()
    assert (alert.status, alert.acknowledged_at, alert.acknowledged_by) == ("open", None, "")
    assert [entry[:2] for entry in recorded(alert.address)] == [
        ("alert.acknowledge", "ada"),
        ("alert.withdraw_acknowledgement", "bob"),
    ]


@pytest.mark.parametrize("before", ["open", "acknowledged"])
def test_a_resolved_alert_is_reopened_as_what_it_was(before):
    alert = raised()
    if before == "acknowledged":
        services.acknowledge(alert.pk, actor=ADA, now=NOON)
    services.resolve(alert.pk, actor=ADA, note="done", now=NOON)
    assert services.reopen(alert.pk, **BY)[1]
    assert not services.reopen(alert.pk, **BY)[1]
    alert.refresh_from_db()
    assert (alert.status, alert.resolved_at, alert.resolved_by) == (before, None, "")
    assert raised() == alert


def test_an_alert_that_was_raised_again_is_not_reopened():
    alert = raised()
    services.resolve(alert.pk, actor=ADA, now=NOON)
    raised()
    with pytest.raises(AlertRaisedAgain):
        services.reopen(alert.pk, **BY)
    alert.refresh_from_db()
    assert alert.status == "resolved"


def test_there_is_nothing_to_undo_of_no_alert_or_a_resolved_one():
    for verb in (services.reopen, services.withdraw_acknowledgement, services.end_snooze):
        with pytest.raises(AlertNotFound):
            verb(4711, **BY)
    alert = raised()
    services.resolve(alert.pk, actor=ADA, now=NOON)
    for verb in (services.withdraw_acknowledgement, services.end_snooze):
        with pytest.raises(AlertResolved, match="by ada"):
            verb(alert.pk, **BY)


VERBS = {
    "acknowledge": services.acknowledge,
    "withdraw": services.withdraw_acknowledgement,
    "snooze": lambda pk, *, now, **by: services.snooze(pk, until=now + 3 * MINUTE, now=now, **by),
    "end": services.end_snooze,
    "resolve": lambda pk, **by: (services.resolve(pk, **by), True),
    "reopen": services.reopen,
}


class Drawing:
    """What the docstring of the model draws, without a database."""

    def __init__(self):
        self.acknowledged = self.resolved = False
        self.until = NOON

    def does(self, verb, now):
        """Whether it changes something; None if it is refused."""
        if verb == "reopen":
            done, self.resolved = self.resolved, False
            return done
        if self.resolved:
            return None
        if verb == "resolve":
            self.resolved, self.until = True, NOON
            return True
        if verb == "snooze":
            if self.until > now:
                return None
            self.until = now + 3 * MINUTE
            return True
        if verb == "end":
            done, self.until = self.until > now, NOON
            return done
        done = self.acknowledged != (verb == "acknowledge")
        self.acknowledged = verb == "acknowledge"
        return done

    def stage(self, now):
        if self.resolved:
            return "resolved"
        if self.until > now:
            return "snoozed"
        return "acknowledged" if self.acknowledged else "open"


class Acts(TestCase):
    """Each example in a transaction of its own."""

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(sorted(VERBS)), max_size=14))
    def test_random_acts_lead_where_the_drawing_says(self, verbs):
        alert, drawing, changes = raised(), Drawing(), 0
        for number, verb in enumerate(verbs, start=1):
            now = NOON + number * MINUTE
            try:
                _, done = VERBS[verb](alert.pk, actor=ADA, now=now)
            except (AlertResolved, AlertSnoozed):
                done = None
            assert done == drawing.does(verb, now), verb
            changes += bool(done)
            alert.refresh_from_db()
            assert alert.stage_at(now) == drawing.stage(now)
            assert list(Alert.objects.at_stage(drawing.stage(now), now)) == [alert]
        assert len(recorded(alert.address)) == changes
