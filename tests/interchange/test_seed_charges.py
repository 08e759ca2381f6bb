"""`manage.py seed_charges` fills the books, and they balance."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from interchange import seeded_usage
from keys.models import Charge, SettledUsage, UsageRollup, UsageSlice, Window
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate

pytestmark = pytest.mark.django_db


def seed(**options):
    """What the command says."""
    out = io.StringIO()
    call_command("seed_charges", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def in_small_batches(monkeypatch):
    """Several batches also for few charges."""
    monkeypatch.setattr(seeded_usage, "_SESSIONS_AT_ONCE", 40)


@pytest.mark.django_db(transaction=True)
def test_it_writes_about_so_many_charges_over_the_year(in_small_batches):
    said = seed(charges=3000)
    count = Charge.objects.count()
    assert said.startswith(f"Imported {count:,} charges")
    assert 2000 < count < 4000
    settled = SettledUsage.objects.filter(status="settled")
    assert len(settled.dates("settled_at", "month")) >= 12
    sums = ("tokens", "cost", "calls")
    of_charges = settled.aggregate(**{name: Sum(name) for name in sums})
    assert UsageSlice.objects.aggregate(**{name: Sum(name) for name in sums}) == of_charges
    assert UsageRollup.objects.get().through is not None
    root = Window.objects.filter(scope="centre:seed")
    assert root.aggregate(used=Sum("used"))["used"] == of_charges["tokens"]
    assert_books_balance()

    seed(charges=500, days=3)
    assert Charge.objects.count() > count
    assert_books_balance()


def test_it_is_refused_beside_usage_of_real_keys(people):
    add_key("openai-1")
    allocate("ada")
    with pytest.raises(CommandError, match="--beside-real-usage"):
        seed(charges=10)
    assert not Charge.objects.exists()


@pytest.mark.parametrize("options", [{"charges": 0}, {"charges": 10, "days": 0}])
def test_numbers_below_one_are_refused(options):
    with pytest.raises(CommandError, match="1 or more"):
        seed(**options)
