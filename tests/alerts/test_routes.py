"""Routes: which channels an alert goes to, quiet hours, digests and escalations."""

from datetime import time, timedelta

import pytest
from django_q.models import OrmQ

from alerts import services
from alerts.models import DigestItem, Escalation, Notification, Route
from alerts.refusals import AlertRouteNotFound, ChannelNotFound, RouteInvalid, RouteNameTaken
from alerts.services import RouteTerms
from keys.models import Agent
from security.models import AuditEntry
from tests.alerts.builders import ADA, channel, raised
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ops(webhook):
    """A signed webhook, and another channel that no service is behind."""
    made = channel(webhook.signed_url)
    services.rotate_signing_secret(made.pk, actor=ADA, now=NOON)
    return made


@pytest.fixture
def boss(webhook):
    return channel(webhook.url, "boss")


def route(*channels, name="usual", **terms):
    terms = RouteTerms(name=name, channels=[each.pk for each in channels], **terms)
    return services.add_route(terms, actor=ADA, now=NOON)


def told():
    """The names of the channels that were told, in order."""
    return list(Notification.objects.order_by("pk").values_list("channel__name", flat=True))


def jobs(now):
    """What the jobs of the minute and the queue do at `now`."""
    services.send_due_digests(now=now)
    services.escalate_due(now=now)
    services.retry_due(now=now)
    for entry in OrmQ.objects.filter(key="butler"):
        services.deliver(entry.task["args"][0], now=now)
        entry.delete()


def test_without_a_route_each_channel_is_told_what_it_wants(ops, boss):
    raised()
    assert sorted(told()) == ["boss", "ops"]


def test_an_alert_goes_by_the_routes_that_match_it_and_else_to_all(ops, boss):
    route(ops, kinds=["rotation_needed"])
    raised()
    assert told() == ["ops"]
    raised(dedup_key="other", kind=services_kind("key_broken"))
    assert sorted(told()) == ["boss", "ops", "ops"]


def services_kind(slug):
    from alerts.kinds import find  # noqa: PLC0415

    return find(slug)


def test_a_route_of_a_cost_centre_takes_alerts_of_its_agents_and_those_below(people, ops, boss):
    centre = Agent.objects.get(pk="ada").cost_centre
    route(ops, cost_centre=centre.path[0])
    route(boss, name="others", cost_centre="nobody")
    raised(agent_id="ada")
    assert told() == ["ops"]


def test_a_channel_gets_nothing_that_it_does_not_want_by_any_route(ops, webhook):
    strict = channel(webhook.url, "strict", severity_min="critical")
    route(ops, strict)
    raised()
    assert told() == ["ops"]


def test_a_disabled_route_is_none(ops, boss):
    made = route(ops)
    services.disable_route(made.pk, actor=ADA, now=NOON)
    raised()
    assert sorted(told()) == ["boss", "ops"]


def test_what_falls_into_quiet_hours_waits_until_they_end(webhook, ops):
    route(ops, quiet_from=time(11), quiet_until=time(13))
    raised()
    jobs(NOON)
    jobs(NOON + 59 * MINUTE)
    assert webhook.requests == []
    jobs(NOON + HOUR)
    assert len(webhook.requests) == 1


def test_quiet_hours_take_nothing_of_the_day_in_which_a_message_is_tried(webhook, ops):
    route(ops, quiet_from=time(12), quiet_until=time(11, 59))
    webhook.status = 503
    raised()
    jobs(NOON + 24 * HOUR)
    jobs(NOON + 25 * HOUR)
    assert Notification.objects.get().status == "failed"


def test_a_digest_is_one_message_of_what_came(webhook, ops):
    route(ops, digest="hourly")
    first, second = raised(dedup_key="1"), raised(dedup_key="2", now=NOON + 10 * MINUTE)
    jobs(NOON + 59 * MINUTE)
    assert webhook.requests == []
    jobs(NOON + HOUR)
    jobs(NOON + HOUR + MINUTE)
    [message] = webhook.messages
    assert message["type"] == "digest"
    assert [each["id"] for each in message["data"]["alerts"]] == [first.pk, second.pk]
    third = raised(dedup_key="3", now=NOON + HOUR + MINUTE)
    jobs(NOON + 2 * HOUR)
    assert [each["id"] for each in webhook.messages[1]["data"]["alerts"]] == [third.pk]


def test_a_digest_is_a_text_for_other_channels_and_is_sent_again_as_it_was(webhook, boss):
    route(boss, digest="daily", digest_at=time(12, 30))
    alert = raised()
    jobs(NOON + HOUR)
    assert webhook.messages[0]["title"] == "Butler: 1 alert"
    assert f"/alerts/{alert.pk}" in webhook.messages[0]["message"]
    services.send_again(Notification.objects.get().pk, actor=ADA, now=NOON)
    drain_queue()
    assert alert.title in webhook.messages[1]["message"]


def test_a_snoozed_alert_is_in_the_digest_after_it_comes_back(webhook, ops):
    route(ops, digest="hourly")
    alert = raised()
    services.snooze(alert.pk, until=NOON + 90 * MINUTE, actor=ADA, now=NOON)
    jobs(NOON + HOUR)
    assert webhook.requests == []
    services.end_due_snoozes(now=NOON + 90 * MINUTE)
    jobs(NOON + 91 * MINUTE)
    assert len(webhook.requests) == 1
    assert DigestItem.objects.count() == 1


def test_an_alert_that_nobody_acknowledges_is_escalated_once_per_step(ops, boss, webhook):
    last = channel(webhook.url, "last")
    route(ops, steps=[(10, boss.pk), (30, last.pk)])
    raised()
    for minutes in range(0, 60, 5):
        jobs(NOON + minutes * MINUTE)
    assert told() == ["ops", "boss", "last"]
    assert not Escalation.objects.filter(done_at=None).exists()


@pytest.mark.parametrize("act", ["acknowledge", "resolve", "snooze"])
def test_an_alert_that_somebody_took_is_not_escalated(ops, boss, act):
    route(ops, steps=[(10, boss.pk)])
    alert = raised()
    extra = {"until": NOON + 2 * HOUR} if act == "snooze" else {}
    getattr(services, act)(alert.pk, actor=ADA, note="mine", now=NOON, **extra)
    jobs(NOON + HOUR)
    assert told() == ["ops"]


def test_an_acknowledgement_that_is_withdrawn_lets_the_escalation_go_on(ops, boss):
    route(ops, steps=[(10, boss.pk)])
    alert = raised()
    services.acknowledge(alert.pk, actor=ADA, now=NOON)
    jobs(NOON + HOUR)
    services.withdraw_acknowledgement(alert.pk, actor=ADA, now=NOON + HOUR)
    jobs(NOON + HOUR)
    assert told() == ["ops", "boss"]


def test_jobs_at_once_send_one_digest_and_escalate_once(ops, boss, at_once):
    route(ops, digest="hourly", steps=[(10, boss.pk)])
    raised()
    at_once(lambda _: services.send_due_digests(now=NOON + HOUR), times=4)
    at_once(lambda _: services.escalate_due(now=NOON + HOUR), times=4)
    assert sorted(told()) == ["boss", "ops"]


def test_a_change_is_in_the_audit_and_a_second_one_changes_nothing(ops):
    made = route(ops)
    terms = RouteTerms(name="night", channels=[ops.pk], quiet_from=time(22), quiet_until=time(6))
    for _ in range(2):
        services.change_route(made.pk, terms, actor=ADA, now=NOON)
        services.disable_route(made.pk, actor=ADA, now=NOON)
    services.enable_route(made.pk, actor=ADA, now=NOON)
    actions = AuditEntry.objects.about(made.address).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["route.add", "route.change", "route.disable", "route.enable"]


def test_terms_that_do_not_go_together_are_refused(ops):
    route(ops)
    with pytest.raises(RouteNameTaken):
        route(ops)
    for terms in (
        {"quiet_from": time(22)},
        {"quiet_from": time(22), "quiet_until": time(22)},
        {"digest": "daily"},
        {"digest": "hourly", "digest_at": time(9)},
        {"steps": [(30, ops.pk), (10, ops.pk)]},
    ):
        with pytest.raises(RouteInvalid):
            route(ops, name="new", **terms)
    with pytest.raises(RouteInvalid):
        route(name="new")
    gone = channel("json://example.org/gone", "gone")
    gone.delete()
    gone.pk = ops.pk.__class__(int=1)
    with pytest.raises(ChannelNotFound):
        route(gone, name="new")
    with pytest.raises(AlertRouteNotFound):
        services.disable_route(0, actor=ADA, now=NOON)
    assert Route.objects.count() == 1
