"""Rules: one incident is one alert, which is resolved by itself; then there is silence."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts import rules, services
from alerts.alert_kinds import DELIVERIES_FAILED
from alerts.models import Alert, AlertRule, Notification, RuleIncident
from alerts.refusals import AlertRuleInvalid, AlertRuleNameTaken, AlertRuleNotFound
from alerts.rules import Finding, RuleKind
from alerts.services import RuleTerms
from security.models import AuditEntry
from tests.alerts.builders import ADA, channel, raised
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def found(monkeypatch):
    """What the kind of rule of this test finds: keys of incidents, to be changed by the test."""
    keys = set()

    def find(watch):
        for key in sorted(keys):
            yield Finding(key=key, title=f"{key} is high", detail="It is.", facts={"key": key})

    kind = RuleKind(
        slug="in_test",
        title="In a test",
        about="What the test says.",
        figure="Number",
        least=1,
        most=100,
        default=5,
        alert_kind=DELIVERIES_FAILED,
        find=find,
    )
    monkeypatch.setitem(rules._kinds, "in_test", kind)
    return keys


def add(name="usual", reason="needed", **terms):
    asked = {"kind": "in_test", "figure": Decimal(5)} | terms
    return services.add_rule(RuleTerms(name=name, **asked), reason=reason, actor=ADA, now=NOON)


def evaluate(rule, minutes=0):
    return services.evaluate_rule(rule.pk, now=NOON + minutes * MINUTE)


def alerts_of(key):
    return list(Alert.objects.filter(facts__key=key).order_by("pk"))


def test_an_incident_is_one_alert_until_it_is_over(found):
    rule = add()
    found.add("a")
    assert [evaluate(rule, minute) for minute in (0, 5, 10)] == [1, 0, 0]
    found.add("b")
    assert evaluate(rule, 15) == 1
    found.clear()
    evaluate(rule, 20)
    assert not Alert.objects.unresolved().exists()
    assert {each.resolved_by for each in alerts_of("a")} == {"alert rules"}
    assert RuleIncident.objects.filter(ended_at=None).count() == 0


def test_the_same_is_not_told_again_before_the_silence_is_over(found):
    rule = add(cool_off_minutes=30)
    found.add("a")
    evaluate(rule)
    found.clear()
    evaluate(rule, 5)
    found.add("a")
    assert [evaluate(rule, minute) for minute in (10, 34)] == [0, 0]
    assert evaluate(rule, 36) == 1
    assert len(alerts_of("a")) == 2


def test_what_a_person_resolved_is_not_raised_again_while_it_goes_on(found):
    rule = add(cool_off_minutes=0)
    found.add("a")
    evaluate(rule)
    services.resolve(alerts_of("a")[0].pk, actor=ADA, now=NOON)
    assert [evaluate(rule, minute) for minute in (5, 500)] == [0, 0]
    assert len(alerts_of("a")) == 1


def test_a_rule_that_is_switched_off_finds_nothing_and_its_alerts_are_resolved(found):
    rule = add()
    found.add("a")
    evaluate(rule)
    services.disable_rule(rule.pk, reason="too loud", actor=ADA, now=NOON + MINUTE)
    services.disable_rule(rule.pk, reason="too loud", actor=ADA, now=NOON + MINUTE)
    assert not Alert.objects.unresolved().exists()
    found.add("b")
    assert evaluate(rule, 5) == 0
    assert services.enqueue_rules() == 0
    services.enable_rule(rule.pk, reason="again", actor=ADA, now=NOON)
    assert evaluate(rule, 10) == 1
    actions = AuditEntry.objects.about(rule.address).order_by("pk")
    assert list(actions.values_list("action", "reason")) == [
        ("alert_rule.add", "needed"),
        ("alert_rule.disable", "too loud"),
        ("alert_rule.enable", "again"),
    ]


def test_runs_at_once_raise_one_alert(found, at_once):
    rule = add()
    found.add("a")
    told = at_once(lambda _: evaluate(rule), times=8)
    assert sum(told) == 1
    assert len(alerts_of("a")) == 1


def test_an_older_run_does_not_undo_a_later_one(found):
    rule = add()
    found.add("a")
    evaluate(rule, 10)
    found.clear()
    evaluate(rule, 5)
    assert RuleIncident.objects.get().ended_at is None


def test_a_changed_rule_ends_what_it_does_not_find(found):
    rule = add()
    found.add("a")
    evaluate(rule)
    terms = RuleTerms(kind="in_test", name="other", figure=Decimal("7.5"), cost_centre="research")
    services.change_rule(rule.pk, terms, reason="higher", actor=ADA, now=NOON)
    rule.refresh_from_db()
    assert (rule.name, rule.figure, rule.cost_centre) == ("other", Decimal("7.5"), "research")
    entry = AuditEntry.objects.get(action="alert_rule.change")
    assert (entry.before["figure"], entry.after["figure"]) == ("5", "7.5")


def test_the_job_has_each_rule_evaluated_by_itself(found, monkeypatch):
    good, bad = add(), add("bad", kind="failed_deliveries")

    def broken(watch):
        raise RuntimeError("a bug")

    kind = rules.all_kinds()["failed_deliveries"]
    monkeypatch.setitem(
        rules._kinds,
        "failed_deliveries",
        RuleKind(
            **{name: getattr(kind, name) for name in kind.__dataclass_fields__} | {"find": broken}
        ),
    )
    found.add("a")
    assert services.enqueue_rules() == 2
    drain_queue()
    assert len(alerts_of("a")) == 1
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.evaluated_at is not None, bad.evaluated_at) == (True, None)


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": "unknown"},
        {"figure": Decimal(0)},
        {"figure": Decimal(101)},
        {"figure": Decimal("NaN")},
        {"cool_off_minutes": -1},
        {"kind": "failed_deliveries", "cost_centre": "research"},
    ],
)
def test_rules_that_watch_nothing_are_refused(found, terms):
    with pytest.raises(AlertRuleInvalid):
        add(**terms)
    assert not AlertRule.objects.exists()


def test_names_are_unique_and_rules_must_exist(found):
    add()
    with pytest.raises(AlertRuleNameTaken):
        add()
    with pytest.raises(AlertRuleNotFound):
        services.disable_rule(99, reason="x", actor=ADA, now=NOON)


def test_failed_deliveries_of_a_channel_are_found(webhook):
    ops = channel(webhook.url)
    for number in range(3):
        raised(dedup_key=f"rotation_needed:{number}")
    Notification.objects.update(status="given_up", last_error="HTTP 503")
    rule = add(kind="failed_deliveries", figure=Decimal(4))
    assert evaluate(rule) == 0
    terms = RuleTerms(kind="failed_deliveries", name="usual", figure=Decimal(3))
    services.change_rule(rule.pk, terms, reason="earlier", actor=ADA, now=NOON)
    assert evaluate(rule, 5) == 1
    alert = Alert.objects.get(kind="deliveries_failed")
    assert alert.title == "3 deliveries to ops failed in 24 hours"
    assert "HTTP 503" in alert.detail
    assert alert.remedy_path == f"/alerts/channels/{ops.pk}"
    assert evaluate(rule, 25 * 60) == 0
    assert Alert.objects.get(kind="deliveries_failed").is_resolved
