"""The page of exchange rates, exchanges on the page of an account, and the currency shown."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from keys.models import Organisation
from tests.api.caller import Caller, token_of
from tests.dashboard.test_agents import signed_in
from tests.treasury.builders import FUNDING, RAIL, entry, open_account
from tests.treasury.builders import transfer as post
from tests.treasury.exchange.test_ecb import DAILY
from treasury.models import Account, ExchangeRate, Transfer

pytestmark = pytest.mark.django_db
PATH = "/treasury/rates"


def page(client, path=PATH):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def upload(client, content=DAILY):
    return client.post(f"{PATH}?act=import", {"file": SimpleUploadedFile("e.csv", content)})


def record(client, **changes):
    asked = {"base": "USD", "quote": "EUR", "rate": "0.9", "day": "2026-03-09", "reason": "ours"}
    return client.post(f"{PATH}?act=record", asked | changes)


def test_rates_are_imported_recorded_and_corrected(people):
    fay = signed_in("fay", role="finance")
    assert "No rates yet" in page(fay)
    assert "none of the ECB" in upload(fay, b"x").content.decode()
    assert upload(fay).status_code == 302
    assert record(fay).status_code == 302
    assert "already" in record(fay).content.decode()
    assert record(fay, rate="0.91").status_code == 302
    shown = page(fay)
    assert "European Central Bank" in shown and "1.0812" in shown and "corrected" in shown
    assert "161.45" not in page(fay, f"{PATH}?currency=USD")


def test_who_may_not_record_only_looks(people):
    al = signed_in("al", role="auditor")
    assert "Import rates" not in page(al)
    assert upload(al).status_code == 403 and record(al).status_code == 403
    assert signed_in("vi", role="viewer").get(PATH).status_code == 403
    assert not ExchangeRate.objects.exists()


def test_an_exchange_is_recorded_on_the_page_of_the_account(people):
    fay = signed_in("fay", role="finance")
    account = open_account(RAIL, scale=2)
    open_account(FUNDING)
    post(entry(RAIL, FUNDING, "1000.00"))
    assert "Record an exchange" not in page(fay, f"/treasury/accounts/{account.pk}")
    open_account("rail:euro", currency="EUR", scale=2)
    assert "Record an exchange" in page(fay, f"/treasury/accounts/{account.pk}")
    asked = {"bought_account": "rail:euro", "sold": "100.00", "bought": "90.00"}
    asked |= {"effective_on": "2026-03-09", "reference": "FX-1"}
    asked["key"] = "00000000-0000-4000-8000-000000000001"
    address = f"/treasury/accounts/{account.pk}?act=exchange"
    assert "Record one first" in fay.post(address, asked).content.decode()
    record(fay)
    assert fay.post(address, asked).status_code == 302
    assert fay.post(address, asked).status_code == 302
    assert Transfer.objects.filter(kind="exchange").count() == 2
    euro = Account.objects.get(name="rail:euro")
    shown = page(fay, f"/treasury/accounts/{euro.pk}")
    assert "FX-1 at 1 USD = 0.9 EUR on 2026-03-09" in shown
    # What is no dollar is not shown as one, and is in no sum of dollars.
    assert "90.00 EUR" in shown and "$90.00" not in shown
    shown = page(fay, "/treasury")
    assert "90.00 EUR" in shown and "$90.00" not in shown


def test_the_currency_shown_takes_a_recorded_rate(people):
    record(signed_in("fay", role="finance"))
    adam = signed_in("adam", role="administrator")
    form = adam.get("/settings").context["form"]
    asked = {field.html_name: field.value() for field in form if field.value() is not None}
    asked |= {"budget_threshold_percents": "80,100", "reason": "in euros", "shown_rate": ""}
    asked |= {"shown_currency": "EUR", "shown_rate_on": "2026-03-20"}
    assert "No rate of that day" in adam.post("/settings", asked).content.decode()
    asked["shown_rate_on"] = "2026-03-11"
    assert adam.post("/settings", asked).status_code == 302
    kept = Organisation.objects.get()
    assert (kept.shown_currency, f"{kept.shown_rate:.2f}") == ("EUR", "0.90")
    assert kept.shown_rate_on.isoformat() == "2026-03-09"


def test_programs_read_rates(people):
    upload(signed_in("fay", role="finance"))
    finance = Caller(token_of("carol", "finance"))
    (row,) = finance.get("/treasury/exchange-rates", quote="USD").json()["results"]
    assert (row["base"], row["rate"], row["source"]) == ("EUR", "1.081200000", "ecb")
    assert not finance.get("/treasury/exchange-rates", until="2020-01-01").json()["results"]
    assert len(finance.get("/treasury/exchange-rates", limit=2).json()["results"]) == 2
