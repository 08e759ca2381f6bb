"""`kill -9` at each step of a delivery: nothing is lost, and what comes twice has the same id."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from alerts import services
from alerts.models import Notification
from tests.alerts.builders import ADA, channel, raised
from tests.flows.processes import database_url
from tests.queue import drain_queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
# A process that does one thing, and dies where the name says.
_PROCESS = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from common import addresses
settings.CHANNEL_NETWORKS = addresses.networks(["127.0.0.0/8"])
from django.utils import timezone
from alerts import services, webhook_transport
module = sys.modules["alerts.services.deliver"]

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def wrapper(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return wrapper

step, notification_id = sys.argv[1], int(sys.argv[2])
if step == "before the claim":
    module.claim = die
elif step == "after the claim":
    module.claim = after(module.claim)
elif step == "before sending":
    webhook_transport.send = die
elif step == "after sending":
    webhook_transport.send = after(webhook_transport.send)
elif step == "before the result commits":
    module.resolve_by_key = die
    module.enqueue = die
    module._update_claimed = after(module._update_claimed)
elif step == "after the result":
    module._record_success = after(module._record_success)
services.deliver(notification_id, now=timezone.now())
"""
# How often the message comes, and what is recorded when the process is dead.
STEPS = {
    "before the claim": (1, "queued"),
    "after the claim": (1, "sending"),
    "before sending": (1, "sending"),
    "after sending": (2, "sending"),
    "before the result commits": (2, "sending"),
    "after the result": (1, "sent"),
}


def killed_at(step, notification):
    """Deliver it in a process that dies at the step."""
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS, step, str(notification.pk)],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "butler_site.settings"},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
def test_a_message_whose_worker_is_killed_is_not_lost(webhook, step):
    ops = channel(webhook.signed_url)
    services.rotate_signing_secret(ops.pk, actor=ADA, now=timezone.now())
    raised(now=timezone.now())
    row = Notification.objects.get()
    killed_at(step, row)
    times, status = STEPS[step]
    row.refresh_from_db()
    assert row.status == status
    for minutes in (0, 5, 10):
        services.retry_due(now=timezone.now() + timedelta(minutes=minutes))
        drain_queue()
        for waiting in Notification.objects.waiting():
            later = timezone.now() + timedelta(minutes=minutes, seconds=59)
            services.deliver(waiting.pk, now=later)
    row.refresh_from_db()
    assert (row.status, len(webhook.requests)) == ("sent", times)
    assert {headers["webhook-id"] for _, headers in webhook.requests} == {str(row.delivery_id)}
