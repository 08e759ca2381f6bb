"""Scheduled reports: what is sent is what the owner may see then, once, to those who may see it."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client

from alerts import services as alerts
from common.mail import MailNotSent
from dashboard.exports import scheduled
from dashboard.jobs import send_reports
from gate.models import CentreBinding
from reports import services as reports
from reports.models import ReportDelivery, ReportRun, ReportSchedule, SavedView
from reports.services import schedules
from reports.services.schedules import SILENCE
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.dashboard.test_reports import signed_in
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db
URL = "/reports/schedules"
TERMS = {
    "name": "spend",
    "table": "spend",
    "path": "/spend",
    "query": "by=agent&range=7d",
    "file_format": "csv",
    "frequency": "daily",
    "on_day": None,
    "hour": 7,
    "channel": None,
}
ASKED = {
    "name": "Mondays",
    "report": "spend",
    "file_format": "csv",
    "frequency": "weekly",
    "on_day": "1",
    "hour": "7",
    "to": "fay",
}


def user_of(name, *, role="finance", email=True):
    signed_in(name, role)
    user = get_user_model().objects.get(username=name)
    user.email = f"{name}@example.org" if email else ""
    user.save()
    return user


@pytest.fixture
def fay(people):
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("ada", now=NOON), 100, now=NOON)
    report(allocate("carol", now=NOON), 7, now=NOON)
    return user_of("fay")


def schedule_of(owner, *persons, **changes):
    return reports.add_schedule(
        owner=owner,
        persons=persons or [owner],
        terms=TERMS | changes,
        actor=ACTOR,
        now=NOON,
    )


def send(now):
    """What the job of the minute does."""
    reports.open_due_runs(now=now)
    for run in reports.runs_to_send(now=now):
        if claimed := reports.claim_run(run, now=now):
            scheduled.send_run(claimed, clock=lambda: now)


def agents_in(message):
    (name, content, _) = message.attachments[0]
    assert name.endswith(".csv")
    text = content if isinstance(content, str) else content.decode()
    return text.partition("\r\n\r\n")[0]


def test_a_report_is_sent_once_when_it_is_due_with_its_total(fay):
    schedule = schedule_of(fay)
    send(NOON)
    assert mail.outbox == []
    later = schedule.next_at + timedelta(minutes=3)
    send(later)
    send(later)
    (message,) = mail.outbox
    run = ReportRun.objects.get()
    delivery = run.deliveries.get()
    assert (message.to, run.status, delivery.status) == (["fay@example.org"], "done", "sent")
    assert str(delivery.delivery_id) in message.extra_headers["Message-ID"]
    rows = list(csv.DictReader(io.StringIO(agents_in(message))))
    assert {row["Agent"] for row in rows} == {"ada", "carol"}
    total = sum(Decimal(row["Cost (USD)"]) for row in rows)
    assert total == 107 * PAID.input / 1000
    assert f"Cost: ${total:f}" in run.total
    assert run.due_at == schedule.next_at


def test_days_that_were_missed_are_one_report(fay):
    schedule = schedule_of(fay)
    send(schedule.next_at + timedelta(days=9, hours=1))
    run = ReportRun.objects.get()
    assert run.due_at == schedule.next_at + timedelta(days=9)
    schedule.refresh_from_db()
    assert schedule.next_at == run.due_at + timedelta(days=1)


def test_the_owners_rights_are_those_of_the_moment(fay):
    schedule = schedule_of(fay)
    CentreBinding.objects.create(person=fay, cost_centre_id="research")
    send(schedule.next_at)
    assert "carol" not in agents_in(mail.outbox[0]) and "ada" in agents_in(mail.outbox[0])
    fay.groups.clear()
    send(schedule.next_at + timedelta(days=1))
    assert len(mail.outbox) == 1
    run = ReportRun.objects.first()
    assert (run.status, run.error) == ("failed", "The owner may no longer see this report.")
    assert run.deliveries.get().status == "failed"


def test_nobody_gets_what_they_may_not_see(fay):
    bound, other, gone = user_of("tom"), user_of("zoe"), user_of("gus")
    CentreBinding.objects.create(person=bound, cost_centre_id="research")
    other.groups.clear()
    gone.is_active = False
    gone.save()
    schedule = schedule_of(fay, fay, bound, other, gone)
    send(schedule.next_at)
    assert [message.to for message in mail.outbox] == [["fay@example.org"]]
    answers = dict(ReportDelivery.objects.values_list("person__username", "answer"))
    assert answers["tom"] == answers["zoe"] == "The person may not see all of this report."
    assert "switched off" in answers["gus"]
    assert ReportRun.objects.get().status == "done"


def test_a_bound_owner_reports_to_people_of_the_same_part(fay):
    owner, peer = user_of("tom"), user_of("zoe")
    for person in (owner, peer):
        CentreBinding.objects.create(person=person, cost_centre_id="research")
    schedule = schedule_of(owner, peer, fay)
    send(schedule.next_at)
    assert len(mail.outbox) == 2
    assert all("carol" not in agents_in(message) for message in mail.outbox)


def test_a_job_that_died_is_made_up_for_with_the_same_ids(fay, monkeypatch):
    other = user_of("zoe")
    schedule = schedule_of(fay, fay, other)
    sent = []

    def die(address, *, delivery_id, **rest):
        sent.append((address, delivery_id))
        if len(sent) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(scheduled.mail, "send", die)
    now = schedule.next_at
    with pytest.raises(KeyboardInterrupt):
        send(now)
    send(now + timedelta(minutes=1))
    assert len(sent) == 2
    send(now + SILENCE)
    assert len(sent) == 3 and sent[2] == sent[1] != sent[0]
    assert ReportRun.objects.get().status == "done"


def test_a_job_that_was_taken_for_dead_sends_no_more(fay):
    schedule = schedule_of(fay)
    reports.open_due_runs(now=schedule.next_at)
    (pk,) = reports.runs_to_send(now=schedule.next_at)
    first = reports.claim_run(pk, now=schedule.next_at)
    assert reports.claim_run(pk, now=schedule.next_at) is None
    later = schedule.next_at + SILENCE
    second = reports.claim_run(pk, now=later)
    assert list(reports.claim_deliveries(first, clock=lambda: later)) == []
    assert len(list(reports.claim_deliveries(second, clock=lambda: later))) == 1


def test_a_mail_server_that_is_away_is_tried_three_times(fay, monkeypatch):
    def refuse(address, **rest):
        raise MailNotSent

    monkeypatch.setattr(scheduled.mail, "send", refuse)
    schedule = schedule_of(fay)
    for number in range(5):
        send(schedule.next_at + number * SILENCE)
    delivery = ReportDelivery.objects.get()
    assert (delivery.status, delivery.attempts) == ("failed", 3)
    assert "mail server" in delivery.answer and ReportRun.objects.get().status == "done"


def test_a_large_file_is_a_link(fay, monkeypatch):
    monkeypatch.setattr(scheduled, "ATTACHED_BYTES_MAX", 10)
    send(schedule_of(fay).next_at)
    (message,) = mail.outbox
    assert message.attachments == [] and "/spend?by=agent" in message.body


@pytest.mark.parametrize("table", ["focus", "statements", "budgets"])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_each_report_is_made(fay, table, file_format):
    if (table, file_format) == ("focus", "xlsx"):
        file_format = "csv"
    schedule = schedule_of(fay, table=table, query="", file_format=file_format)
    send(schedule.next_at)
    assert ReportRun.objects.get().status == "done"
    assert mail.outbox[0].attachments[0][0].startswith(f"{table}-")


def test_a_person_schedules_sends_pauses_and_deletes(fay):
    client = signed_in_as(fay)
    view = SavedView.objects.create(owner=fay, page="spend", name="agents", query="by=agent")
    wrong = ASKED | {"to": "nobody", "on_day": "9"}
    shown = client.post(f"{URL}?act=add", wrong).content.decode()
    assert "nobody is not a person" in shown and "Use a day from 1 to 7" in shown
    assert client.post(f"{URL}?act=add", ASKED | {"report": f"view:{view.pk}"}).status_code == 302
    schedule = ReportSchedule.objects.get()
    assert (schedule.query, schedule.on_day) == ("by=agent", 0)
    assert "every Monday at 07:00" in client.get(URL).content.decode()
    page = f"{URL}/{schedule.pk}"
    assert client.post(f"{page}?act=test").status_code == 302
    assert client.post(f"{page}?act=run").status_code == 302
    assert send_reports() == 2
    shown = client.get(page).content.decode()
    assert "fay: sent" in shown and "test" in shown
    client.post(f"{page}?act=pause")
    schedule.refresh_from_db()
    send(schedule.next_at + timedelta(days=30))
    assert len(mail.outbox) == 2
    client.post(f"{page}?act=resume")
    schedule.refresh_from_db()
    assert schedule.paused_at is None
    client.post(f"{page}?act=delete")
    assert not ReportSchedule.objects.exists()


def test_a_name_is_used_once_and_others_see_nothing_of_it(fay):
    client = signed_in_as(fay)
    client.post(f"{URL}?act=add", ASKED)
    assert "already have" in client.post(f"{URL}?act=add", ASKED).content.decode()
    page = f"{URL}/{ReportSchedule.objects.get().pk}"
    other = signed_in("zoe")
    assert other.get(page).status_code == 404
    assert "Mondays" not in other.get(URL).content.decode()


def test_a_report_goes_to_a_signed_webhook(fay, monkeypatch):
    channel = alerts.add_channel(
        name="books", url="https://example.org/hook", actor=ACTOR, now=NOON
    )
    alerts.rotate_signing_secret(channel.pk, actor=ACTOR, now=NOON)
    sent = []

    def taken(url, payload, *, delivery_id, secrets, now):
        sent.append((payload, delivery_id, secrets))
        return "HTTP 204"

    monkeypatch.setattr("alerts.webhook_transport.send", taken)
    schedule = schedule_of(fay, channel=channel)
    send(schedule.next_at)
    ((payload, delivery_id, secrets),) = sent
    delivery = ReportDelivery.objects.get(channel=channel)
    assert (delivery.status, delivery.answer) == ("sent", "HTTP 204")
    assert str(delivery.delivery_id) == delivery_id and len(secrets) == 1
    assert "ada" in payload["csv"] and payload["type"] == "report"
    alerts.disable_channel(channel.pk, actor=ACTOR, now=NOON)
    send(schedule.next_at + timedelta(days=1))
    assert "disabled" in ReportDelivery.objects.filter(channel=channel).latest("pk").answer


def signed_in_as(user):
    client = Client()
    client.force_login(user)
    return client


def changed(client, schedule, **changes):
    """Change the report on its page, with what its dialog is filled in with."""
    page = f"{URL}/{schedule.pk}?act=change"
    form = client.get(page).context["dialog"].form
    asked = {name: form[name].value() or "" for name in form.fields}
    answer = client.post(page, asked | changes, follow=True)
    schedule.refresh_from_db()
    return answer


def test_a_scheduled_report_is_changed_and_the_audit_says_how(fay, people):
    gil = user_of("gil")
    schedule, client = schedule_of(fay, name="weekly", frequency="weekly", on_day=0), Client()
    client.force_login(fay)
    entries = AuditEntry.objects.filter(action="report_schedule.change")
    before = (schedule.next_at, schedule.query)
    changed(client, schedule)
    assert not entries.exists()
    assert (schedule.next_at, schedule.query, schedule.on_day) == (*before, 0)
    answer = changed(client, schedule, hour="9", zone="Asia/Tokyo", on_day="3", to="fay\ngil")
    assert "every Wednesday at 09:00 in Asia/Tokyo, to fay, gil" in answer.content.decode()
    local = schedule.next_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert (local.weekday(), local.hour) == (2, 9)
    entry = entries.get()
    assert entry.before == {"hour": 7, "on_day": 0, "persons": "fay", "zone": ""}
    assert entry.after == {"hour": 9, "on_day": 2, "persons": "fay, gil", "zone": "Asia/Tokyo"}
    changed(client, schedule, report="budgets", frequency="daily", on_day="")
    assert (schedule.table, schedule.path, schedule.query) == ("budgets", "/budgets", "")
    schedule.owner = gil
    assert client.get(f"{URL}/{schedule_of(gil, name='his').pk}?act=change").status_code == 404


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"zone": "Mars/Base"}, "Mars/Base"),
        ({"to": ""}, "Name a person"),
        ({"frequency": "weekly", "on_day": "9"}, "Use a day from 1 to 7"),
        ({"name": "other"}, "other"),
        ({"hour": "24"}, "less than or equal to 23"),
    ],
)
def test_what_is_wrong_changes_no_schedule(fay, asked, words):
    schedule_of(fay, name="other")
    schedule, client = schedule_of(fay), Client()
    client.force_login(fay)
    assert words in changed(client, schedule, **asked).content.decode()
    assert (schedule.name, schedule.hour, schedule.zone) == ("spend", 7, "")


def test_a_paused_report_is_changed_and_stays_paused(fay):
    schedule, client = schedule_of(fay), Client()
    client.force_login(fay)
    reports.pause_schedule(schedule, actor=ACTOR, now=NOON)
    changed(client, schedule, hour="11")
    assert (schedule.paused_at, schedule.hour) == (NOON, 11)
    reports.resume_schedule(schedule, actor=ACTOR, now=NOON)
    schedule.refresh_from_db()
    assert schedule.next_at.hour == 11


def test_a_job_that_found_a_report_before_it_changed_follows_the_change(fay, monkeypatch):
    schedule = schedule_of(fay)
    due = schedule.next_at + timedelta(minutes=1)
    stale = ReportSchedule.objects.get(pk=schedule.pk)
    terms = TERMS | {"frequency": "monthly", "on_day": 1}
    reports.change_schedule(schedule, persons=[fay], terms=terms, actor=ACTOR, now=NOON)
    # The next moment is the same by chance.
    ReportSchedule.objects.filter(pk=schedule.pk).update(next_at=stale.next_at)
    assert schedules._open_due(stale, due)
    schedule.refresh_from_db()
    assert schedule.next_at.day == 1
    assert not schedules._open_due(stale, due)
