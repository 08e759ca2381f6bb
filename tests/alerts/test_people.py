"""E-mail to persons: by roles, cost centres and names, with quiet hours, and never twice."""

from datetime import time, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, transaction
from django_q.models import OrmQ

from alerts import services
from alerts.models import Alert, Channel, Notification
from alerts.refusals import NoticesInvalid, RouteInvalid
from alerts.services import RouteTerms
from gate import services as gate
from gate.models import CentreBinding
from keys.alert_kinds import FROZEN
from keys.models import Agent
from security.actor import Actor
from security.models import AuditEntry
from tests.alerts.builders import ADA, channel, raised
from tests.keys.builders import add_key, limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def house(people):
    """Finance of all, finance of research and of sales, and an operator."""
    for name, role, centre in (
        ("fina", "finance", ""),
        ("rea", "finance", "research"),
        ("sal", "finance", "sales"),
        ("opal", "operator", ""),
    ):
        person(name, role, centre)


def person(name, role, centre="", **changes):
    fields = {"email": f"{name}@example.org", "is_staff": True} | changes
    made = get_user_model().objects.create_user(name, **fields)
    made.groups.add(Group.objects.get(name=role))
    if centre:
        CentreBinding.objects.create(person=made, cost_centre_id=centre)
    return made


def user(name):
    return get_user_model().objects.get(username=name)


def route(name="usual", **terms):
    return services.add_route(RouteTerms(name=name, **terms), actor=ADA, now=NOON)


def told():
    """Whom rows of the delivery log are for."""
    rows = Notification.objects.exclude(channel__person=None)
    return sorted(rows.values_list("channel__person__username", flat=True))


def deliver(now=NOON):
    services.retry_due(now=now)
    for entry in OrmQ.objects.filter(key="butler"):
        if entry.task["func"] == "alerts.jobs.deliver":
            services.deliver(entry.task["args"][0], now=now)
        entry.delete()


def test_a_role_reaches_those_who_see_the_cost_centre():
    route(roles=["finance"])
    raised(agent_id="ada")
    assert told() == ["fina", "rea"]
    deliver()
    assert sorted(each.to[0] for each in mail.outbox) == ["fina@example.org", "rea@example.org"]
    row = Notification.objects.get(channel__person__username="rea")
    [sent] = [each for each in mail.outbox if each.to == ["rea@example.org"]]
    assert sent.extra_headers["Message-ID"] == f"<{row.delivery_id}@butler.invalid>"
    assert str(row.delivery_id) in sent.body
    assert "What to do:" in sent.body
    assert row.status == "sent"


def test_what_is_of_no_cost_centre_reaches_who_is_bound_to_none():
    route(roles=["finance"])
    raised(key_id="nvidia-1")
    assert told() == ["fina"]


def test_a_person_by_name_and_by_two_routes_is_told_once(webhook):
    channel(webhook.url)
    route(roles=["finance"], persons=[user("fina").pk])
    route("other", persons=[user("fina").pk, user("sal").pk], severity_min="info")
    raised(agent_id="ada")
    assert told() == ["fina", "rea"]
    assert Notification.objects.filter(channel__person=None).count() == 0


def test_who_has_no_address_or_was_switched_off_is_not_told():
    get_user_model().objects.filter(username="fina").update(email="")
    get_user_model().objects.filter(username="rea").update(is_active=False)
    route(roles=["finance"])
    raised(agent_id="ada")
    assert told() == []


def test_who_is_switched_off_before_the_mail_goes_out_gets_none():
    route(persons=[user("fina").pk])
    raised(agent_id="ada")
    get_user_model().objects.filter(username="fina").update(is_active=False)
    deliver()
    assert mail.outbox == []
    assert Notification.objects.get().status == "given_up"


def test_quiet_hours_of_a_person_delay_and_muted_kinds_are_left_out():
    route(persons=[user("fina").pk, user("opal").pk])
    by = {"actor": ADA, "now": NOON}
    services.change_notices(
        user("fina"), quiet_from=time(11), quiet_until=time(13), muted_kinds=[], **by
    )
    services.change_notices(
        user("opal"), quiet_from=None, quiet_until=None, muted_kinds=["rotation_needed"], **by
    )
    raised(agent_id="ada")
    assert told() == ["fina"]
    deliver()
    assert mail.outbox == []
    deliver(NOON + HOUR)
    assert len(mail.outbox) == 1
    assert AuditEntry.objects.filter(action="notices.change").count() == 2


def test_security_is_told_at_once_and_cannot_be_muted():
    fina = user("fina")
    route(persons=[fina.pk], digest="hourly", critical_at_once=False)
    by = {"quiet_from": time(11), "quiet_until": time(13), "actor": ADA, "now": NOON}
    with pytest.raises(NoticesInvalid):
        services.change_notices(fina, muted_kinds=["frozen"], **by)
    services.change_notices(fina, muted_kinds=[], **by)
    # Also if somebody writes it into the row.
    Channel.objects.filter(person=fina).update(muted_kinds=["frozen"])
    raised(kind=FROZEN, dedup_key="frozen:1")
    deliver()
    assert len(mail.outbox) == 1


def test_digests_of_a_route_reach_persons_as_one_mail():
    route(roles=["finance"], digest="hourly", critical_at_once=False)
    raised(agent_id="ada")
    raised(agent_id="ada", dedup_key="rotation_needed:s-2", title="Session s-2")
    assert told() == []
    services.send_due_digests(now=NOON + HOUR)
    deliver(NOON + HOUR)
    assert sorted(each.to[0] for each in mail.outbox) == ["fina@example.org", "rea@example.org"]
    assert {each.subject for each in mail.outbox} == {"Butler: 2 alerts"}


def test_a_title_of_several_lines_is_one_subject():
    route(persons=[user("fina").pk])
    raised(title="a\r\nBcc: all@example.org")
    deliver()
    [sent] = mail.outbox
    assert sent.recipients() == ["fina@example.org"]
    assert "\n" not in sent.subject


def test_a_mail_server_that_fails_is_tried_again_with_the_same_id(settings):
    route(persons=[user("fina").pk])
    raised()
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    deliver()
    row = Notification.objects.get()
    assert (row.status, "mail server" in row.last_error) == ("failed", True)
    settings.EMAIL_BACKEND = working
    deliver(NOON + HOUR)
    again = Notification.objects.get()
    assert (again.status, again.delivery_id) == ("sent", row.delivery_id)


def test_sending_again_reaches_the_person_with_another_id():
    route(persons=[user("fina").pk])
    raised()
    deliver()
    first = Notification.objects.get()
    services.send_again(first.pk, actor=ADA, reason="lost", now=NOON)
    deliver()
    ids = {each.extra_headers["Message-ID"] for each in mail.outbox}
    assert len(ids) == len(mail.outbox) == 2


@pytest.mark.parametrize("terms", [{}, {"roles": ["nobody"]}, {"persons": [10**6]}])
def test_routes_to_nobody_are_refused(terms):
    with pytest.raises(RouteInvalid):
        route(**terms)


def ask(now=NOON):
    """An agent of research asks for more budget."""
    add_key("nvidia-1")
    limit(Agent.objects.get(pk="ada"), 1000, now=now)
    request = gate.BudgetRequest(
        scope="agent:ada",
        unit="tokens",
        period="day",
        amount=500,
        until=now + timedelta(days=3),
        reason="a deadline",
    )
    return gate.request_budget(
        "ada", request, idempotency_key=None, actor=Actor.agent("ada"), now=now
    )[0]


def test_who_may_decide_a_request_is_mailed_once_also_when_it_is_overdue():
    person("apa", "approver")
    person("sam", "approver", "sales")
    person("ron", "approver", "research")
    approval = ask()
    gate.alert_of_approvals(now=NOON)
    gate.alert_of_approvals(now=NOON)
    deliver()
    first = told()
    assert "apa" in first and "ron" in first and "sam" not in first and "opal" not in first
    [sent] = [each for each in mail.outbox if each.to == ["apa@example.org"]]
    assert f"/approvals/{approval.pk}" in sent.body
    # The first alert is overdue after a day: other people are told, these are not.
    route(persons=[user("apa").pk, user("opal").pk])
    gate.alert_of_approvals(now=NOON + 25 * HOUR)
    deliver(NOON + 25 * HOUR)
    assert Alert.objects.filter(kind="approval_overdue").count() == 1
    assert told() == sorted([*first, "opal"])


def test_the_link_of_the_mail_needs_a_sign_in(client):
    approval = ask()
    answer = client.get(f"/approvals/{approval.pk}")
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


def escalate(minutes):
    """What the jobs of the minute do so long after noon."""
    services.escalate_due(now=NOON + timedelta(minutes=minutes))
    deliver(NOON + timedelta(minutes=minutes))


def test_an_alert_that_nobody_takes_is_escalated_to_a_role_and_then_to_a_person(webhook):
    ops = channel(webhook.url)
    steps = [(10, "role:finance"), (30, f"person:{user('opal').pk}")]
    made = route(channels=[ops.pk], steps=steps)
    alert = raised(agent_id="ada")
    escalate(9)
    assert told() == []
    escalate(10)
    escalate(11)
    # Sal does not see research.
    assert told() == ["fina", "rea"]
    escalate(30)
    escalate(40)
    assert told() == ["fina", "opal", "rea"]
    assert sorted(each.to[0] for each in mail.outbox) == [
        "fina@example.org", "opal@example.org", "rea@example.org",
    ]  # fmt: skip
    first, second = alert.escalations.order_by("after_minutes")
    assert (first.notification.channel.person.username, second.notification.status) in (
        ("fina", "sent"),
        ("rea", "sent"),
    )
    entry = AuditEntry.objects.get(action="route.add")
    assert entry.after["steps"] == [list(each) for each in steps]
    assert [each.target for each in made.steps.all()] == [target for _, target in steps]


def test_a_person_who_took_the_alert_or_is_muted_or_asleep_is_not_woken():
    fina = user("fina")
    services.change_notices(
        fina,
        quiet_from=time(12),
        quiet_until=time(14),
        muted_kinds=[],
        actor=Actor.person("fina"),
        now=NOON,
    )
    opal = user("opal").pk
    route(persons=[opal], severity_min="info", steps=[(10, f"person:{fina.pk}")])
    taken = raised(agent_id="ada", dedup_key="taken")
    raised(agent_id="ada", dedup_key="open")
    services.acknowledge(taken.pk, actor=ADA, now=NOON)
    escalate(10)
    waits = Notification.objects.get(channel__person=fina)
    assert (waits.alert.dedup_key, waits.held_until) == ("open", NOON + 2 * HOUR)


def test_a_step_leads_to_somebody_who_exists_and_to_one_only():
    for target in ("role:kings", "person:0"):
        with pytest.raises(RouteInvalid):
            route(roles=["finance"], steps=[(10, target)])
    made = route(roles=["finance"], steps=[(10, "role:finance")])
    with pytest.raises(IntegrityError), transaction.atomic():
        made.steps.update(person=user("fina"))
    with pytest.raises(IntegrityError), transaction.atomic():
        made.steps.update(role="")
