"""The pages of statements of rails: import, match, look; who may do that."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.api.caller import Caller, token_of
from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.builders import FUNDING, RAIL, TRANSIT, entry, open_account, open_accounts
from tests.treasury.builders import transfer as post
from treasury.models import Account, Difference, RailStatement

pytestmark = pytest.mark.django_db
PATH = "/treasury/statements"
TODAY = NOON.date()


@pytest.fixture
def bank(people):
    open_accounts()
    post(entry(RAIL, FUNDING, "100.00", effective_on=TODAY - timedelta(days=1)))


def upload(client, content, **changes):
    file = SimpleUploadedFile("bank.csv", content.encode())
    asked = {"account": RAIL, "format": "csv", "file": file, "columns": ""} | changes
    return client.post(f"{PATH}?act=import", asked)


def page(client, path=PATH):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_from_the_file_to_a_difference_that_is_gone(bank):
    fay = signed_in("fay", role="finance")
    assert "No statements yet" in page(fay)
    assert 'enctype="multipart/form-data"' in page(fay, f"{PATH}?act=import")
    content = f"Date,amount,reference\n{TODAY},-20.00,PAY-1\n"
    assert "no column day" in upload(fay, content).content.decode()
    mapped = {"columns": "day=Date"}
    assert "does not tell its balances" in upload(fay, content, **mapped).content.decode()
    balances = {"opening": "100.00", "closing": "80.00"}
    assert upload(fay, content, **mapped, **balances).status_code == 302
    assert "already" in upload(fay, content, **mapped, **balances).content.decode()
    statement, found = RailStatement.objects.get(), Difference.objects.get()
    assert f'href="{PATH}/{statement.pk}"' in page(fay)
    shown = page(fay, f"{PATH}/{statement.pk}")
    assert "not matched" in shown and f"/treasury/reconciliation/{found.pk}" in shown
    assert "Left to explain" in shown and "bank.csv" in shown
    shown = page(fay, f"/treasury/reconciliation?account={RAIL}&kind=missing_transfer")
    assert f"/treasury/reconciliation/{found.pk}" in shown and RAIL in shown
    shown = page(fay, f"/treasury/reconciliation/{found.pk}")
    assert f'href="{PATH}/{statement.pk}"' in shown and "PAY-1" in shown and "Adjust" in shown
    post(entry(TRANSIT, RAIL, "20.00", reference="PAY-1"))
    assert fay.post(f"{PATH}?act=match").status_code == 302
    found.refresh_from_db()
    assert found.status == "gone"
    shown = page(fay, f"{PATH}/{statement.pk}")
    assert "Both sides agree." in shown and "not matched" not in shown


def test_another_currency_is_shown_in_its_own(bank):
    open_account("rail:euro", currency="EUR", scale=2)
    fay = signed_in("fay", role="finance")
    content = f"day,amount,balance\n{TODAY},-20.00,80.00\n"
    assert upload(fay, content, account="rail:euro").status_code == 302
    found = Difference.objects.get(kind="missing_transfer")
    assert "-20.00 EUR" in page(fay, f"/treasury/reconciliation/{found.pk}")
    assert "rail:euro" in page(fay, "/treasury/reconciliation")


def test_who_may_not_reconcile_only_looks(bank):
    al = signed_in("al", role="auditor")
    content = f"day,amount,balance\n{TODAY},-20.00,80.00\n"
    assert "Import a statement" not in page(al)
    assert upload(al, content).status_code == 403
    assert upload(signed_in("fay", role="finance"), content).status_code == 302
    assert al.post(f"{PATH}?act=match").status_code == 403
    assert "Left to explain" in page(al, f"{PATH}/{RailStatement.objects.get().pk}")
    vi = signed_in("vi", role="viewer")
    assert vi.get(PATH).status_code == 403
    assert vi.get(f"{PATH}/{RailStatement.objects.get().pk}").status_code == 403


def test_lines_have_pages(bank):
    fay = signed_in("fay", role="finance")
    rows = "\n".join(f"{TODAY},-1.00,{99 - number}.00" for number in range(60))
    assert upload(fay, f"day,amount,balance\n{rows}\n").status_code == 302
    statement = RailStatement.objects.get()
    assert "after=50" in page(fay, f"{PATH}/{statement.pk}")
    assert "after=" not in page(fay, f"{PATH}/{statement.pk}?after=50").partition("<main")[2]


def test_programs_read_statements_and_differences(bank):
    upload(signed_in("fay", role="finance"), f"day,amount,balance\n{TODAY},-20.00,80.00\n")
    finance = Caller(token_of("carol", "finance"))
    (row,) = finance.get("/treasury/rail-statements", account=RAIL).json()["results"]
    assert (row["closing"], row["lines"], row["open_differences"]) == ("80.000000000", 1, 1)
    assert finance.get("/treasury/rail-statements", account="rail:x").json()["results"] == []
    (row,) = finance.get("/treasury/differences", account=RAIL, status="open").json()["results"]
    assert (row["kind"], row["account"], row["provider"]) == ("missing_transfer", RAIL, None)
    assert row["theirs"] == "-20.000000000000"
    assert not finance.get("/treasury/differences", provider="openai").json()["results"]


def test_a_consumption_of_another_program_has_no_link(people):
    open_accounts()
    post(entry("expense:research", "credit:openai:key-1", "1", kind="consumption", reference="x"))
    account = Account.objects.get(name="expense:research")
    shown = page(signed_in("fay", role="finance"), f"/treasury/accounts/{account.pk}")
    assert "consumption" in shown and "/charges?" not in shown


def test_a_line_is_booked_as_a_fee(bank):
    fay = signed_in("fay", role="finance")
    upload(fay, f"day,amount,balance,kind\n{TODAY},-0.88,99.12,fee\n")
    found = Difference.objects.get()
    address = f"/treasury/reconciliation/{found.pk}"
    assert "Book as a fee" in page(fay, address)
    assert fay.post(f"{address}?act=fee", {"reason": "their price list"}).status_code == 302
    assert "booked as a fee" in page(fay, address) and "Book as a fee" not in page(fay, address)
    assert Account.objects.get(name="fees:bank").balance == Decimal("0.88")
