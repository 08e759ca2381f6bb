"""`kill -9` at each step of a digest, an escalation and an e-mail: nothing is lost, nothing comes
twice, but for a mail whose process dies between sending it and writing that down: it comes again
with the same id."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_q.models import OrmQ

from alerts import services
from alerts.models import Alert, DigestItem, Escalation, Notification
from alerts.services import RouteTerms
from tests.alerts.builders import ADA, channel, raised
from tests.flows.processes import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
HOUR = timedelta(hours=1)
# A process that does one thing, and dies where the name says.
_PROCESS = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from django.conf import settings
from alerts import mail_transport, services
from tests.alerts.builders import raised

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def wrapper(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return wrapper

what, step, row, now = sys.argv[1:5]
now = datetime.fromisoformat(now)
settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
settings.EMAIL_FILE_PATH = sys.argv[5]
place, name = step.split(" ")
module_name, function = name.rsplit(".", 1)
module = sys.modules[module_name]
setattr(module, function, die if place == "before" else after(getattr(module, function)))
{
    "raise": lambda: raised(agent_id="ada", now=now),
    "digest": lambda: services.send_due_digests(now=now),
    "escalate": lambda: services.escalate_due(now=now),
    "deliver": lambda: services.deliver(int(row), now=now),
}[what]()
"""
_RAISE, _QUEUE = "alerts.services.raise_alert", "alerts.services.enqueue"
RAISING = (
    f"before {_RAISE}.notify",
    f"before {_QUEUE}.plans_for_people",
    f"before {_QUEUE}._keep",
    f"after {_QUEUE}._keep",
    f"before {_QUEUE}._keep_steps",
    f"after {_QUEUE}._keep_steps",
    f"after {_RAISE}.notify",
)
DIGESTS = (
    "before alerts.services.digests._send",
    "before alerts.services.digests.queue_notification",
    "after alerts.services.digests.queue_notification",
    f"before {_QUEUE}.enqueue",
    f"after {_QUEUE}.enqueue",
    "after alerts.services.digests._send",
)
ESCALATIONS = (
    "before alerts.services.escalate._escalate",
    "before alerts.services.escalate.queue_notification",
    "after alerts.services.escalate.queue_notification",
    f"after {_QUEUE}.enqueue",
    "after alerts.services.escalate._escalate",
)
# How often the mail comes.
DELIVERIES = {
    "before alerts.services.deliver.claim": 1,
    "after alerts.services.deliver.claim": 1,
    "before alerts.mail_transport.send": 1,
    "after alerts.mail_transport.send": 2,
    "after alerts.services.deliver._update_claimed": 2,
    "after alerts.services.deliver._record_success": 1,
}


@pytest.fixture
def fina(people):
    return get_user_model().objects.create_superuser("fina", email="fina@example.org")


@pytest.fixture
def mails(settings, tmp_path):
    """The mails that were sent, by this process and those that die."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")

    def sent():
        files = sorted((tmp_path / "mail").glob("*.log")) if (tmp_path / "mail").exists() else []
        parts = [part for each in files for part in each.read_bytes().split(b"-" * 79)]
        return [message_from_bytes(part.strip()) for part in parts if part.strip()]

    return sent


def killed_at(what, step, *, row=0, now, settings):
    done = subprocess.run(
        [
            *(sys.executable, "-c", _PROCESS, what, step, str(row)),
            *(now.isoformat(), str(settings.EMAIL_FILE_PATH)),
        ],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "butler_site.settings"},
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


def jobs(now):
    """What the jobs of the minute and the queue do at `now`."""
    services.send_due_digests(now=now)
    services.escalate_due(now=now)
    services.retry_due(now=now)
    for entry in OrmQ.objects.filter(key="butler"):
        services.deliver(entry.task["args"][0], now=now)
        entry.delete()


def route(fina, **terms):
    asked = RouteTerms(name="usual", persons=[fina.pk], **terms)
    return services.add_route(asked, actor=ADA, now=timezone.now())


def ids(mails):
    return {each["X-Butler-Delivery"] for each in mails()}


@pytest.mark.parametrize("step", RAISING)
def test_an_alert_is_there_with_all_that_tells_of_it_or_not_at_all(
    fina, mails, webhook, settings, step
):

    boss = channel(webhook.signed_url, "boss")
    route(fina, channels=[boss.pk], steps=[(10, boss.pk)], digest="hourly", critical_at_once=False)
    now = timezone.now()
    killed_at("raise", step, now=now, settings=settings)
    assert (Alert.objects.count(), DigestItem.objects.count(), Escalation.objects.count()) == (
        0,
        0,
        0,
    )
    raised(agent_id="ada", now=now)
    assert (DigestItem.objects.count(), Escalation.objects.count()) == (2, 1)


@pytest.mark.parametrize("step", DIGESTS)
def test_a_digest_whose_process_is_killed_comes_once_with_all_alerts(fina, mails, settings, step):
    now = timezone.now()
    route(fina, digest="hourly", critical_at_once=False)
    raised(agent_id="ada", now=now)
    raised(agent_id="ada", dedup_key="rotation_needed:s-2", now=now)
    killed_at("digest", step, now=now + HOUR, settings=settings)
    for minute in range(3):
        jobs(now + HOUR + timedelta(minutes=minute))
    [mail] = mails()
    assert mail["Subject"] == "Butler: 2 alerts"
    digest = Notification.objects.get()
    assert (digest.status, mail["X-Butler-Delivery"]) == ("sent", str(digest.delivery_id))
    assert DigestItem.objects.filter(digest=digest).count() == 2


@pytest.mark.parametrize("step", ESCALATIONS)
def test_an_escalation_whose_process_is_killed_is_told_once(fina, mails, webhook, settings, step):

    now = timezone.now()
    boss = channel(webhook.signed_url, "boss")
    services.rotate_signing_secret(boss.pk, actor=ADA, now=now)
    route(fina, steps=[(10, boss.pk)])
    raised(agent_id="ada", now=now)
    jobs(now)
    later = now + timedelta(minutes=10)
    killed_at("escalate", step, now=later, settings=settings)
    for minute in range(3):
        jobs(later + timedelta(minutes=minute))
    told = Notification.objects.get(channel=boss)
    assert told.status == "sent"
    assert [headers["webhook-id"] for _, headers in webhook.requests] == [str(told.delivery_id)]
    assert Escalation.objects.get().notification == told
    assert len(mails()) == 1


@pytest.mark.parametrize("step", DELIVERIES)
@pytest.mark.parametrize("what", ["alert", "digest"])
def test_a_mail_whose_process_is_killed_is_not_lost(fina, mails, settings, step, what):
    now = timezone.now()
    route(fina, **({"digest": "hourly", "critical_at_once": False} if what == "digest" else {}))
    raised(agent_id="ada", now=now)
    if what == "digest":
        services.send_due_digests(now=now + HOUR)
        now += HOUR
    row = Notification.objects.get()
    killed_at("deliver", step, row=row.pk, now=now, settings=settings)
    for minutes in (5, 10, 20):
        jobs(now + timedelta(minutes=minutes))
    row.refresh_from_db()
    assert (row.status, len(mails())) == ("sent", DELIVERIES[step])
    assert ids(mails) == {str(row.delivery_id)}
    assert Notification.objects.count() == 1
