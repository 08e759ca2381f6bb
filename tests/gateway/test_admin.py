"""Retention and kept exchanges in the admin: who may set, who may read, and that it is noted."""

import re
import tracemalloc
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import escape

from common import links
from gateway import services
from gateway.admin import body_preview
from gateway.models import Exchange, Retention
from keys.models import CostCentre
from security.actor import Actor
from security.fields import Sealed
from security.models import AuditEntry
from tests.keys.builders import add_key, allocate, hold

pytestmark = pytest.mark.django_db
AUDIT = reverse_lazy("admin:security_auditentry_changelist")
REQUEST = b'{"messages":[{"content":"<script>alert(1)</script> & \xc3\xa4"}]}'
ANSWER = b'data: {"text": "canary-answer-77a0"}\n\ndata: [DONE]\n\n'


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def page(name, *args):
    """The address of an admin page of the app."""
    return reverse(f"admin:gateway_{name}", args=args)


def looks():
    """Who looked at kept exchanges, as the audit has it."""
    return AuditEntry.objects.filter(action="exchange.look")


def may(client, *codenames):
    """Sign in as carol, who has these permissions only."""
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(carol)


@pytest.fixture
def charge(people):
    """A call of ada's, whose exchange is kept."""
    now = timezone.now()
    add_key("nvidia-1")
    research = CostCentre.objects.get(pk="research")
    services.set_retention(research, days=30, actor=Actor.person("grace"), reason="audit", now=now)
    charge = hold(allocate(tokens=100), 10)
    keep(charge, now=now)
    return charge


def keep(charge, *, now, request=REQUEST, answer=ANSWER):
    """What the gateway does after a settlement."""
    services.keep_exchange(
        charge_id=charge.pk,
        days=30,
        request=request,
        answer=answer,
        status=200,
        media_type="text/event-stream",
        complete=True,
        now=now,
    )


def test_retention_is_switched_on_with_a_reason_changed_and_off(staff, people):  # noqa: F811
    wanted = {"cost_centre": "research", "days": "30", "reason": ""}
    assert "required" in staff.post(page("retention_add"), wanted).content.decode()
    assert not Retention.objects.exists()
    staff.post(page("retention_add"), wanted | {"reason": "the auditors ask"})
    row = Retention.objects.get()
    assert (row.pk, row.days, row.changed_by) == ("research", 30, "grace")
    changed = {"cost_centre": "sales", "days": "0", "reason": "they are done"}
    staff.post(page("retention_change", "research"), changed)
    changes = AuditEntry.objects.filter(action="retention.set").values_list(
        "subjects", "before", "after", "actor_name", "actor_kind", "address", "reason"
    )
    grace = ("grace", "person", "127.0.0.1")
    assert list(changes) == [
        (["centre:research"], {"days": 30}, {"days": 0}, *grace, "they are done"),
        (["centre:research"], {"days": None}, {"days": 30}, *grace, "the auditors ask"),
    ]
    staff.post(page("retention_change", "research"), {"days": "", "reason": "as the rest"})
    assert Retention.objects.get().days is None
    history = staff.get(page("retention_change", "research")).content.decode()
    assert "the auditors ask" in history
    assert 'value="as the rest"' not in history, "each change needs a reason of its own"
    assert "inherited" in staff.get(page("retention_changelist")).content.decode()


def test_days_out_of_range_are_refused_in_words(staff, people):  # noqa: F811
    for days in ("-1", "3651", "many"):
        wanted = {"cost_centre": "research", "days": days, "reason": "audit"}
        answer = staff.post(page("retention_add"), wanted)
        assert answer.status_code == 200
    assert not Retention.objects.exists()


def test_who_may_only_look_sets_no_retention(client, people):  # noqa: F811
    may(client, "view_retention", "view_exchange", "view_costcentre")
    assert client.get(page("retention_changelist")).status_code == 200
    wanted = {"cost_centre": "research", "days": "30", "reason": "curious"}
    assert client.post(page("retention_add"), wanted).status_code == 403
    assert not Retention.objects.exists()


def test_the_list_shows_what_is_kept_but_no_contents_and_is_not_noted(staff, charge):
    listed = staff.get(page("exchange_changelist")).content.decode()
    for words in ("ada", "research", str(len(REQUEST)), str(len(ANSWER))):
        assert words in listed
    assert "canary" not in listed
    assert not looks().exists()


def test_an_exchange_is_shown_indented_escaped_and_who_looked_is_noted(staff, charge):
    answer = staff.get(page("exchange_change", charge.pk))
    content = answer.content.decode()
    indented = '{\n  "messages": [\n    {\n      "content": "<script>alert(1)</script> & ä"\n'
    assert escape(indented) in content
    assert "<script>alert(1)" not in content
    assert escape(ANSWER.decode()) in content
    assert "no-store" in answer.headers["Cache-Control"]
    assert links.url("charge", charge.pk) in content
    (look,) = looks()
    assert (look.subject, look.actor, look.address) == (
        f"exchange:{charge.pk}",
        "grace",
        "127.0.0.1",
    )
    assert re.search(r"<td>[-\d :]{19}</td><td>grace</td>", content)
    audited = staff.get(AUDIT, {"action": "exchange.look"}).content.decode()
    assert f"exchange:{charge.pk}" in audited


@pytest.mark.parametrize(
    "permissions", [(), ("view_charge", "view_allocation", "view_retention", "view_auditentry")]
)
def test_contents_are_shown_to_nobody_without_the_permission(client, charge, permissions):
    may(client, *permissions)
    for address in (
        page("exchange_change", charge.pk),
        page("exchange_history", charge.pk),
        page("exchange_changelist"),
    ):
        answer = client.get(address)
        assert answer.status_code == 403
        assert b"canary" not in answer.content
    assert not looks().exists()


def test_the_permission_to_view_exchanges_is_enough_and_allows_nothing_else(client, charge):
    may(client, "view_exchange")
    assert b"canary" in client.get(page("exchange_change", charge.pk)).content
    assert looks().get().actor == "carol"
    for address in (page("exchange_change", charge.pk), page("exchange_delete", charge.pk)):
        answer = client.post(address, {"post": "yes", "complete": ""})
        assert answer.status_code == 403
        assert b"canary" not in answer.content
    assert client.get(page("exchange_add")).status_code == 403
    assert client.get(AUDIT).status_code == 403
    assert Exchange.objects.count() == looks().count() == 1


def test_nobody_adds_changes_or_deletes_by_hand(staff, charge):
    for address in (
        page("exchange_add"),
        page("exchange_delete", charge.pk),
        page("exchange_change", charge.pk),
        reverse("admin:security_auditentry_add"),
        page("retention_delete", "research"),
    ):
        assert staff.post(address, {"post": "yes"}).status_code == 403
    assert Exchange.objects.count() == Retention.objects.count() == 1


def test_what_expired_has_no_page(staff, charge):
    now = timezone.now()
    later = hold(allocate(tokens=100), 10)
    keep(later, now=now - timedelta(days=30))
    answer = staff.get(page("exchange_change", later.pk), follow=True)
    assert b"canary" not in answer.content
    assert f">{later.pk}<" not in staff.get(page("exchange_changelist")).content.decode()
    assert not looks().exists()


def test_what_cannot_be_unsealed_is_said_in_words(staff, charge):
    Exchange.objects.update(content_key=Sealed(b"noise"))
    content = staff.get(page("exchange_change", charge.pk)).content.decode()
    assert "The contents cannot be shown" in content
    assert "canary" not in content


def test_the_newest_exchange_comes_first(staff, charge):
    later = hold(allocate(tokens=100), 10)
    keep(later, now=timezone.now())
    listed = staff.get(page("exchange_changelist")).content.decode()
    newest, older = (listed.index(page("exchange_change", each.pk)) for each in (later, charge))
    assert newest < older


def test_the_list_costs_as_many_queries_as_one(staff, charge, django_assert_max_num_queries):
    for _ in range(3):
        keep(hold(allocate(tokens=100), 10), now=timezone.now())
    with django_assert_max_num_queries(7) as asked:
        staff.get(page("exchange_changelist"))
    assert not any('exchange"."answer"' in query["sql"] for query in asked)


def test_no_body_makes_the_page_fail(staff, charge):
    for body in (
        b'{"half": "\\ud800"}',
        b"\xff\xfe\x00 not a text",
        b"[" * 100_000,
        b'{"n": ' + b"1" * 5_000 + b"}",
        b"",
    ):
        charge = hold(allocate(tokens=100), 10)
        keep(charge, now=timezone.now(), request=body, answer=body)
        assert staff.get(page("exchange_change", charge.pk)).status_code == 200


def test_long_bodies_are_cut_and_say_so():
    assert body_preview.preview(b"a" * 100) == ("a" * 100, False)
    text, cut = body_preview.preview(b"a" * (body_preview.PREVIEW_MAX + 1))
    assert (len(text), cut) == (body_preview.PREVIEW_MAX, True)
    text, cut = body_preview.preview(b"[" + b"1," * 3_000_000 + b"1]")
    assert (len(text), cut) == (body_preview.PREVIEW_MAX, True)


def test_deep_json_does_not_grow_beyond_the_page():
    deep = b"[" * 200 + b"1," * 500_000 + b"1" + b"]" * 200
    tracemalloc.start()
    text, cut = body_preview.preview(deep)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(text), cut) == (body_preview.PREVIEW_MAX, True)
    assert text.startswith("[\n  [")
    assert most < 30_000_000, "indented to the end it would be 200 MB"


def test_json_that_says_something_twice_is_shown_as_it_is():
    twice = b'{"content": "bad", "content": "good"}'
    assert body_preview.preview(twice) == (twice.decode(), False)
