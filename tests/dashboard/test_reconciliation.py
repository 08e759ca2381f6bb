"""The pages of reconciliation: import, compare, filter, settle; who may do that."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django_q.models import OrmQ

from security.models import Approval
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON
from tests.treasury.purchases import add_payee, make_decider
from treasury.models import Difference, ProviderReport

pytestmark = pytest.mark.django_db
PATH = "/treasury/reconciliation"
TODAY = NOON.date().isoformat()


@pytest.fixture
def charge(settings, people):
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    add_key("openai-1", rates=PAID, provider="openai")
    return report(allocate(tokens=90_000), 80_000)


def upload(client, content, **changes):
    file = SimpleUploadedFile("bill.csv", content.encode())
    asked = {"provider": "openai", "format": "csv", "file": file, "columns": ""} | changes
    return client.post(f"{PATH}?act=import", asked)


def compare(client, since=TODAY, until=TODAY):
    asked = {"provider": "openai", "since": since, "until": until}
    return client.post(f"{PATH}?act=run", asked)


def page(client, path=PATH):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_from_the_file_to_a_settled_difference(charge):
    fay = signed_in("fay", role="finance")
    assert "No reports yet" in page(fay)
    assert 'enctype="multipart/form-data"' in page(fay, f"{PATH}?act=import")
    content = f"Date,key,model,Cost in USD\n{TODAY},openai-1,model-1,9\n"
    assert "no column day" in upload(fay, content).content.decode()
    columns = "day=Date\namount=Cost in USD"
    assert upload(fay, content, columns=columns).status_code == 302
    assert ProviderReport.objects.get().file_name == "bill.csv"
    assert compare(fay).status_code == 302
    found = Difference.objects.get()
    shown = page(fay)
    assert f'href="{PATH}/{found.pk}"' in shown and "openai-1" in shown
    assert "$9.00" in shown and "unexplained" in shown
    assert f'href="{PATH}/{found.pk}"' not in page(fay, f"{PATH}?status=accepted")
    assert f'href="{PATH}/{found.pk}"' not in page(fay, f"{PATH}?kind=tax")
    assert f'href="{PATH}/{found.pk}"' in page(fay, f"{PATH}?status=all&day={TODAY}")
    assert f'href="{PATH}/{found.pk}"' not in page(fay, f"{PATH}?day=tomorrow&provider=x")
    shown = page(fay, f"{PATH}/{found.pk}")
    assert "No kind of difference explains it." in shown and "It is the same" not in shown
    fay.post(f"{PATH}/{found.pk}?act=accept", {"reason": "too small to ask"})
    found.refresh_from_db()
    assert (found.status, found.settled_by) == ("accepted", "fay")
    assert "too small to ask" in page(fay, f"{PATH}/{found.pk}")
    # There is no act any more.
    assert fay.post(f"{PATH}/{found.pk}?act=explain", {"reason": "x"}).status_code == 403


def test_an_adjustment_of_a_sum_waits_for_a_second_person(charge):
    make_decider()
    add_payee()
    fay = signed_in("fay", role="finance")
    upload(fay, f"day,amount\n{TODAY},9\n")
    compare(fay)
    found = Difference.objects.get()
    fay.post(f"{PATH}/{found.pk}?act=adjust", {"reason": "ask them"})
    waiting = Approval.objects.get(kind="reconciliation_adjustment")
    assert waiting.subject == f"difference:{found.pk}"


def test_who_may_not_reconcile_only_looks(charge):
    fay, al = signed_in("fay", role="finance"), signed_in("al", role="auditor")
    upload(fay, f"day,amount\n{TODAY},9\n")
    compare(fay)
    found = Difference.objects.get()
    assert "Import a report" not in page(al)
    assert upload(al, "day,amount\n").status_code == 403
    assert compare(al).status_code == 403
    assert al.post(f"{PATH}/{found.pk}?act=accept", {"reason": "x"}).status_code == 403
    assert signed_in("vi", role="viewer").get(PATH).status_code == 403


def test_another_currency_cannot_be_adjusted(charge):
    fay = signed_in("fay", role="finance")
    upload(fay, f"day,currency,amount\n{TODAY},EUR,9\n")
    compare(fay)
    shown = page(fay, f"{PATH}/{Difference.objects.get().pk}")
    assert "EUR" in shown and "Adjust" not in shown


def test_a_wrong_range_is_refused(charge):
    fay = signed_in("fay", role="finance")
    upload(fay, f"day,amount\n{TODAY},9\n")
    later = (NOON + timedelta(days=100)).date().isoformat()
    assert "Choose from 1 to 92 days" in compare(fay, until=later).content.decode()


def test_reports_are_fetched_from_a_provider_until_that_is_ended(charge):
    fay, ann = signed_in("fay", role="finance"), signed_in("ann", role="auditor")
    assert "Fetched reports" not in page(ann)
    asked = {
        "provider": "openai",
        "source": "openai",
        "since": (timezone.now().date() - timedelta(days=3)).isoformat(),
        "base_url": "",
        "secret": "sk-admin-0000-1111",
        "reason": "bills",
    }
    assert ann.post(f"{PATH}?act=fetch-access", asked).status_code == 403
    assert fay.post(f"{PATH}?act=fetch-access", asked).status_code == 302
    shown = page(ann)
    assert "Fetched reports" in shown and "not asked yet. No day agrees yet." in shown
    assert "sk-admin" not in shown and OrmQ.objects.count() == 1
    assert ann.post(f"{PATH}?act=fetch").status_code == 403
    assert fay.post(f"{PATH}?act=fetch").status_code == 302 and OrmQ.objects.count() == 2
    assert ann.post(f"{PATH}?act=fetch-no-more", asked).status_code == 403
    assert fay.post(f"{PATH}?act=fetch-no-more", asked).status_code == 302
    assert "Fetched reports" not in page(fay)
