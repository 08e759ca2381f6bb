"""Adjustments in the admin: made on the page of a charge, listed, linked in both directions."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from keys.models import Adjustment
from tests.books import assert_books_balance
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import PAID, add_key, adjust, allocate, report

pytestmark = pytest.mark.django_db
ENTERED = CONFIRMED | {
    "input_tokens": 300,
    "cached_tokens": 0,
    "cache_write_tokens": 0,
    "cache_write_long_tokens": 0,
    "audio_input_tokens": 0,
    "image_input_tokens": 0,
    "output_tokens": 20,
    "reasoning_tokens": 0,
    "audio_output_tokens": 0,
    "image_output_tokens": 0,
    "web_searches": 0,
    "reason": "invoice 7",
}


@pytest.fixture
def charge(people):
    """A settled charge of 400 tokens of input."""
    add_key("openai-1", rates=PAID)
    return report(allocate(), 400)


def sign_in(client, *permissions):
    """Grace, with permissions of the app and no others."""
    grace = get_user_model().objects.create_user("grace", password="x", is_staff=True)
    grace.user_permissions.set(
        Permission.objects.filter(content_type__app_label="keys", codename__in=permissions)
    )
    client.force_login(grace)


def page(name, *args):
    """The address of an admin page of the app."""
    return reverse(f"admin:keys_{name}", args=args)


def test_people_with_the_permission_adjust_a_charge_with_a_reason(client, charge):
    sign_in(client, "view_charge", "add_adjustment")
    dialog = client.get(page("charge_adjust", charge.pk)).content.decode()
    assert "Now 400." in dialog
    assert "Now 0.001200000." in dialog
    client.post(page("charge_adjust", charge.pk), ENTERED)
    adjustment = Adjustment.objects.get()
    assert (adjustment.tokens, adjustment.input_tokens, adjustment.output_tokens) == (-80, -100, 20)
    assert (adjustment.adjusted_by, adjustment.reason) == ("grace", "invoice 7")
    html = client.get(page("charge_change", charge.pk)).content.decode()
    assert f"Charge {charge.pk} was adjusted by -80 tokens, +0.000000000 USD." in html
    assert "counts for 320 tokens, 0.001200000 USD" in html
    assert_books_balance()


def test_what_cannot_be_is_refused_with_a_sentence(client, charge):
    sign_in(client, "view_charge", "add_adjustment")
    client.post(page("charge_adjust", charge.pk), ENTERED | {"cached_tokens": 301})
    html = client.get(page("charge_change", charge.pk)).content.decode()
    assert "Include cached_tokens and cache_write_tokens in input_tokens" in html
    assert not Adjustment.objects.exists()


def test_without_the_permission_a_charge_is_only_read(client, charge):
    sign_in(client, "view_charge", "change_charge", "add_charge", "view_adjustment")
    assert (
        page("charge_adjust", charge.pk)
        not in client.get(page("charge_change", charge.pk)).content.decode()
    )
    assert client.post(page("charge_adjust", charge.pk), ENTERED).status_code == 403
    assert client.get(page("adjustment_add")).status_code == 403
    assert not Adjustment.objects.exists()


def test_a_charge_and_its_adjustments_link_to_each_other(client, charge):
    sign_in(client, "view_charge", "view_adjustment")
    other = report(allocate("bob"), 10)
    adjustment = adjust(charge, 100)
    adjusted = client.get(page("charge_changelist"), {"adjusted": "yes"}).content.decode()
    assert page("charge_change", charge.pk) in adjusted
    assert page("charge_change", other.pk) not in adjusted
    listed = f"{page('adjustment_changelist')}?charge__id__exact={charge.pk}"
    assert listed in client.get(page("charge_change", charge.pk)).content.decode()
    html = client.get(listed).content.decode()
    assert page("adjustment_change", adjustment.pk) in html
    assert "-300 tokens" in html
    html = client.get(page("adjustment_change", adjustment.pk)).content.decode()
    assert reverse("dashboard:charge", args=[charge.pk]) in html
    assert "as billed" in html
