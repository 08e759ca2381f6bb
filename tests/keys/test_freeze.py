"""Freezes: what is frozen holds and is lent nothing, until somebody else thaws it."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, IntegrityError, transaction

from alerts.models import Alert
from keys import services as keys
from keys.models import Agent, Freeze
from keys.refusals import (
    AgentNotFound,
    ApiKeyNotFound,
    CostCentreNotFound,
    FreezeNotFound,
    Frozen,
    KeyFrozen,
    NoKeyCapacity,
    OwnFreeze,
    ProviderNotFound,
    RotationRefused,
    WrongValue,
)
from security.actor import Actor
from security.models import AuditEntry
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, hold, report, rotate, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
ANNA, BERT = Actor.person("anna"), Actor.person("bert")
OF_KEY = ["key:key-1", "provider:nvidia"]
OF_ADA = [*OF_KEY, "agent:ada", "centre:research", "centre:org", "all"]
of_ada = pytest.mark.parametrize("scope", OF_ADA)


def freeze(scope, *, actor=ANNA, mode="cut", now=NOON):
    """Freeze a scope."""
    row, _ = keys.freeze(scope, mode=mode, reason="leaked", actor=actor, now=now)
    return row


def thaw(row, *, actor=BERT, now=NOON):
    """Thaw a freeze."""
    return keys.thaw(row.pk, reason="settled", actor=actor, now=now)


@pytest.fixture
def lent(people):
    """A session of ada's on the only key."""
    add_key("key-1")
    return allocate(tokens=10_000)


def wish(lent, number=1, **changes):
    """A hold as the gateway asks for it."""
    return keys.HoldRequest(lent.pk, 100, 100, f"wish-{number}", fresh=True, **changes)


@of_ada
def test_nothing_is_held_for_what_is_frozen_until_it_is_thawed(lent, scope):
    row = freeze(scope)
    expected = KeyFrozen if scope in OF_KEY else Frozen
    with pytest.raises(expected) as refusal:
        hold(lent, 100)
    assert refusal.value.scope == scope
    assert "anna" not in refusal.value.detail
    # In a batch, too.
    batch = [wish(lent, n) for n in range(3)]
    assert {type(answer) for answer in keys.hold_many(batch, now=NOON)} == {expected}
    thaw(row)
    assert hold(lent, 100).held_tokens == 100
    assert_books_balance()


@pytest.mark.parametrize("scope", ["key:key-2", "provider:openai", "agent:bob", "centre:sales"])
def test_others_go_on(lent, scope):
    add_key("key-2", provider="openai")
    freeze(scope)
    assert hold(lent, 100).held_tokens == 100


@pytest.mark.parametrize("scope", ["agent:ada", "centre:research", "centre:org", "all"])
def test_nothing_is_lent_to_what_is_frozen(lent, scope):
    row = freeze(scope)
    with pytest.raises(Frozen):
        allocate(tokens=1_000)
    thaw(row)
    assert allocate(tokens=1_000)


@pytest.mark.parametrize("scope", ["key:key-1", "provider:nvidia"])
def test_a_frozen_key_is_lent_no_more_and_its_sessions_move(lent, scope):
    add_key("key-2", provider="openai")
    freeze(scope)
    assert allocate(tokens=1_000).api_key_id == "key-2"
    other = allocate(tokens=1_000)
    with pytest.raises(RotationRefused, match="is frozen"):
        rotate(other, "key-1")
    assert keys.rotate_stranded(now=NOON) == (1, 0)
    lent.refresh_from_db()
    assert lent.api_key_id == "key-2"
    assert hold(lent, 100)
    assert_books_balance()


def test_when_the_only_key_is_frozen_nothing_can_be_lent(lent):
    freeze("key:key-1")
    with pytest.raises(NoKeyCapacity):
        allocate(tokens=1_000)


def test_cost_centres_and_agents_that_come_later_are_frozen_too(lent):
    freeze("centre:sales")
    keys.create_cost_centre("field", parent="sales", actor=ANNA, now=NOON)
    keys.create_agent_without_limits("dora", cost_centre="field", actor=ANNA, now=NOON)
    with pytest.raises(Frozen):
        allocate("dora", tokens=1_000)
    # A session that others pay for, of an agent that is moved below.
    Agent.objects.filter(pk="ada").update(cost_centre="field")
    with pytest.raises(Frozen):
        hold(lent, 100)


def test_a_guest_of_a_frozen_key_is_refused(lent):
    add_key("key-2", provider="openai")
    freeze("key:key-2")
    with pytest.raises(KeyFrozen):
        keys.hold_as_guest(wish(lent, api_key="key-2"), now=NOON)
    assert hold(lent, 100)
    assert_books_balance()


def test_running_calls_are_settled_and_reported_usage_is_recorded(lent):
    charge = hold(lent, 100)
    freeze("all")
    settle(charge, 80)
    assert report(lent, 50).tokens == 50
    assert_books_balance()


def test_an_agents_freeze_is_told_before_that_of_its_key(lent):
    for scope in ("key:key-1", "agent:ada"):
        freeze(scope)
    with pytest.raises(Frozen):
        hold(lent, 100)


def test_a_freeze_is_audited_and_alerts_and_so_is_its_thaw(lent):
    row = freeze("key:key-1")
    assert Alert.objects.get(kind="frozen").status == "open"
    thaw(row)
    assert Alert.objects.get(kind="frozen").status == "resolved"
    assert Alert.objects.get(kind="thawed").title == "key:key-1 is thawed by bert"
    entries = AuditEntry.objects.filter(action__startswith="freeze.").order_by("id")
    assert [(e.action, e.actor_name, e.reason) for e in entries] == [
        ("freeze.create", "anna", "leaked"),
        ("freeze.thaw", "bert", "settled"),
    ]
    assert entries[0].subjects == [f"freeze:{row.pk}", "key:key-1"]


def test_who_froze_cannot_thaw(lent):
    row = freeze("all")
    with pytest.raises(OwnFreeze):
        thaw(row, actor=ANNA)
    with pytest.raises(IntegrityError, match="freeze_is_thawed_by_another_actor"):
        Freeze.objects.filter(pk=row.pk).update(
            thawed_at=NOON, thawed_by="anna", thawed_by_kind="person", thaw_reason="me"
        )
    # An agent of the same name is somebody else, and frozen.
    with pytest.raises(OwnFreeze):
        thaw(row, actor=Actor.agent("ada"))
    assert thaw(row, actor=Actor.command_line())[1]


def test_who_froze_cannot_thaw_with_another_account_either(lent):
    for name, email in (("anna", "anna@example.org"), ("ann", "Anna+2@example.org")):
        get_user_model().objects.create_user(name, email)
    row = freeze("all")
    with pytest.raises(OwnFreeze):
        thaw(row, actor=Actor.person("ann"))
    assert thaw(row, actor=BERT)[1]


def test_who_froze_cannot_thaw_with_a_token_of_an_agent_either(lent):
    get_user_model().objects.create_user("anna")
    bob = Agent.objects.get(pk="bob")
    token, _ = keys.issue_token(bob, actor=ANNA, now=NOON)
    own, of_bob = freeze("key:key-1"), freeze("provider:nvidia", actor=Actor.agent("bob"))
    for row, actor in ((own, Actor.agent("bob")), (of_bob, ANNA)):
        with pytest.raises(OwnFreeze):
            thaw(row, actor=actor)
    # A token that is revoked lets nobody thaw, but it could have frozen.
    keys.revoke_token(token, actor=ANNA, now=NOON + timedelta(minutes=1))
    later = NOON + timedelta(minutes=2)
    with pytest.raises(OwnFreeze):
        thaw(of_bob, actor=ANNA, now=later)
    assert thaw(own, actor=Actor.agent("bob"), now=later)[1]
    assert thaw(of_bob, now=later)[1]


def test_twice_is_once(lent):
    row = freeze("all", mode="drain")
    assert keys.freeze("all", reason="again", actor=BERT, now=NOON) == (row, False)
    # Only from drain to cut.
    assert Freeze.objects.get().mode == "cut"
    freeze("all", mode="drain")
    assert Freeze.objects.get().mode == "cut"
    assert thaw(row)[1]
    later = NOON + timedelta(hours=1)
    again, is_thawed_now = thaw(row, actor=ANNA, now=later)
    assert (again.thawed_at, is_thawed_now) == (NOON, False)
    # A new freeze is another one.
    assert freeze("all").pk != row.pk


def test_what_was_frozen_stays_written(lent):
    row = freeze("all")
    thaw(row)
    for change in ({"reason": "none"}, {"thawed_at": None}):
        with pytest.raises(DatabaseError, match="keys_freeze"), transaction.atomic():
            Freeze.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError, match="keys_freeze"), transaction.atomic():
        Freeze.objects.all().delete()


@pytest.mark.parametrize(
    ("scope", "refusal"),
    [
        ("key:none", ApiKeyNotFound),
        ("provider:none", ProviderNotFound),
        ("agent:none", AgentNotFound),
        ("centre:none", CostCentreNotFound),
        ("session:ses-1", WrongValue),
        ("everything", WrongValue),
        ("", WrongValue),
    ],
)
def test_what_does_not_exist_cannot_be_frozen(lent, scope, refusal):
    with pytest.raises(refusal):
        freeze(scope)
    assert not Freeze.objects.exists()


def test_wrong_values_are_refused(lent):
    row = freeze("all")
    with pytest.raises(WrongValue):
        freeze("agent:ada", mode="slow")
    for reason in ("", " ", "x" * 301):
        with pytest.raises(WrongValue):
            keys.freeze("agent:ada", reason=reason, actor=ANNA, now=NOON)
        with pytest.raises(WrongValue):
            keys.thaw(row.pk, reason=reason, actor=BERT, now=NOON)
    with pytest.raises(FreezeNotFound):
        keys.thaw(row.pk + 1, reason="none", actor=BERT, now=NOON)
