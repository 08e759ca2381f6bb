"""Deputies: who decides for a person who is away, when, and for whom the decision counts."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import IntegrityError, ProgrammingError, transaction

from gate.models import CentreBinding
from keys import services as keys
from keys.models import Agent
from security import services as security
from security.actor import Actor
from security.deciders import approvals_to_decide, is_decider
from security.models import Approval, AuditEntry, Delegation
from security.refusals import (
    DelegationChain,
    DelegationNotAllowed,
    DelegationNotFound,
    DelegationOver,
    DelegationOverlaps,
    DelegationPast,
    DelegationTooLong,
    DeputyInactive,
    DeputyIsSelf,
    NotADecider,
    SecondPersonNeeded,
)
from tests.actors import GRACE, OLGA
from tests.gate.approvals import in_force, person
from tests.gate.test_approvals import amount, propose
from tests.keys.builders import limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db
BOB = Actor.person("bob")
LATER = NOON + timedelta(hours=1)
WEEK = timedelta(days=7)


@pytest.fixture
def office(people):
    """Grace, olga and henry may decide, bob may not; a rise of ada's limit waits for one."""
    limit(Agent.objects.get(pk="ada"), 1_000)
    found = {name: person(name) for name in ("grace", "olga", "henry")}
    found["bob"] = person("bob", may_decide=False)
    in_force("limit")
    return found


def user(name):
    """Read again: users remember their rights."""
    return get_user_model().objects.get(username=name)


def away(absent="olga", deputy="bob", *, by=None, now=NOON, **changes):
    """Olga is away for a week, and bob decides for her."""
    terms = {"starts_at": NOON, "ends_at": NOON + WEEK} | changes
    return security.name_deputy(
        user(absent),
        user(deputy),
        terms=security.DelegationTerms(**terms),
        reason="on leave",
        actor=by or Actor.person(absent),
        now=now,
    )


def approve(approval, actor=BOB, now=LATER):
    return security.approve(approval.pk, reason="fine", actor=actor, now=now)


def test_a_deputy_decides_for_both_and_the_audit_says_for_whom(office):
    away()
    approval = propose(6_000)
    approve(approval)
    decided = Approval.objects.get()
    assert amount() == 6_000
    assert decided.decided_by == "bob for olga"
    assert {"user:" + str(office[name].pk) for name in ("bob", "olga")} <= {
        *decided.decided_persons
    }
    entry = AuditEntry.objects.get(action="approval.approve")
    assert (entry.actor_name, entry.after["decided_for"]) == ("bob", "olga")
    assert f"user:{office['olga'].pk}" in entry.subjects


def test_without_a_delegation_or_outside_its_time_nothing_is_decided(office):
    approval = propose(6_000)
    with pytest.raises(NotADecider):
        approve(approval)
    delegation = away(starts_at=NOON + timedelta(hours=2), ends_at=NOON + timedelta(hours=3))
    for now in (LATER, delegation.ends_at):
        with pytest.raises(NotADecider):
            approve(approval, now=now)
    approve(approval, now=delegation.ends_at - timedelta(microseconds=1))
    assert amount() == 6_000


@pytest.mark.parametrize("asker", ["olga", "bob"])
def test_a_deputy_decides_nothing_that_one_of_the_two_asked_for(office, asker):
    away()
    approval = propose(6_000, actor=Actor.person(asker))
    for verb in (security.approve, security.reject):
        with pytest.raises(SecondPersonNeeded):
            verb(approval.pk, reason="x", actor=BOB, now=LATER)
    assert not approvals_to_decide(user("bob"), now=LATER).exists()
    assert not is_decider(user("bob"), approval, now=LATER)
    approve(approval, actor=Actor.person("henry"))


def test_who_may_decide_alone_decides_alone(office):
    away(deputy="henry")
    approval = propose(6_000, actor=OLGA)
    approve(approval, actor=Actor.person("henry"))
    assert Approval.objects.get().decided_by == "henry"


def test_a_deputy_of_a_bound_person_decides_in_that_part_only(office):
    CentreBinding.objects.create(person=office["olga"], cost_centre_id="research")
    away()
    limit(Agent.objects.get(pk="carol"), 1_000)
    other = _of("carol")
    approve(propose(6_000))
    with pytest.raises(NotADecider):
        approve(other)
    assert list(approvals_to_decide(user("bob"), now=LATER)) == []


def test_a_delegation_can_be_for_one_cost_centre(office):
    away(cost_centre="research")
    limit(Agent.objects.get(pk="carol"), 1_000)
    own, other = propose(6_000), _of("carol")
    assert list(approvals_to_decide(user("bob"), now=LATER)) == [own]
    with pytest.raises(NotADecider):
        approve(other)
    approve(own)


def _of(agent):
    terms = keys.Terms(unit="tokens", period="day", amount=2_000)
    subject = Agent.objects.get(pk=agent)
    return keys.propose_limit(subject, terms=terms, reason="more", actor=GRACE, now=NOON)


def test_a_deputy_passes_nothing_on(office):
    away()
    with pytest.raises(DelegationChain):
        away("bob", "henry")
    with pytest.raises(DelegationChain):
        away("henry", "olga")
    away("bob", "henry", starts_at=NOON + WEEK, ends_at=NOON + 2 * WEEK)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"deputy": "olga"}, DeputyIsSelf),
        ({"deputy": "twin"}, DeputyIsSelf),
        ({"deputy": "gone"}, DeputyInactive),
        ({"ends_at": NOON}, DelegationPast),
        ({"starts_at": NOON - 2 * WEEK, "ends_at": NOON - WEEK}, DelegationPast),
        ({"starts_at": NOON + 2 * WEEK}, DelegationPast),
        ({"ends_at": NOON + timedelta(days=400)}, DelegationTooLong),
    ],
)
def test_what_is_no_delegation_is_refused(office, changes, refusal):
    person("twin", email="Olga+2@example.org")
    gone = person("gone")
    gone.is_active = False
    gone.save()
    with pytest.raises(refusal):
        away(**changes)
    assert not Delegation.objects.exists()


def test_a_person_has_one_deputy_at_a_time(office):
    first = away()
    with pytest.raises(DelegationOverlaps):
        away(
            deputy="henry", starts_at=first.ends_at - timedelta(seconds=1), ends_at=NOON + 2 * WEEK
        )
    away(deputy="henry", starts_at=first.ends_at, ends_at=NOON + 2 * WEEK)


def test_a_start_in_the_past_means_now(office):
    assert away(starts_at=NOON - WEEK).starts_at == NOON


def test_only_the_person_and_who_may_name_deputies_name_one(office):
    admin = person("iris", may_decide=False)
    for who in ("henry", "bob", "iris"):
        with pytest.raises(DelegationNotAllowed):
            away(by=Actor.person(who))
    admin.user_permissions.add(Permission.objects.get(codename="add_delegation"))
    office["bob"].user_permissions.add(Permission.objects.get(codename="add_delegation"))
    with pytest.raises(DelegationNotAllowed):
        away(by=BOB)
    with pytest.raises(DelegationNotAllowed):
        away(by=Actor.agent("ada"))
    get_user_model().objects.filter(username="olga").update(is_superuser=True)
    with pytest.raises(DelegationNotAllowed):
        away(by=Actor.person("iris"))
    get_user_model().objects.filter(username="olga").update(is_superuser=False)
    away(by=Actor.person("iris"))
    entry = AuditEntry.objects.get(action="delegation.create")
    assert (entry.actor_name, entry.after["deputy"], entry.reason) == ("iris", "bob", "on leave")


def test_a_delegation_is_revoked_once_and_ends_at_once(office):
    delegation = away()
    approval = propose(6_000)
    one = {"reason": "back", "now": LATER}
    for who in (BOB, Actor.person("henry")):
        with pytest.raises(DelegationNotAllowed):
            security.revoke_delegation(delegation.pk, actor=who, **one)
    security.revoke_delegation(delegation.pk, actor=OLGA, **one)
    with pytest.raises(NotADecider):
        approve(approval)
    with pytest.raises(DelegationOver):
        security.revoke_delegation(delegation.pk, actor=OLGA, **one)
    with pytest.raises(DelegationNotFound):
        security.revoke_delegation(0, actor=OLGA, **one)
    away()
    assert AuditEntry.objects.get(action="delegation.revoke").before["deputy"] == "bob"


def test_a_person_who_is_switched_off_has_no_deputy_and_is_none(office):
    away()
    approval = propose(6_000)
    for name in ("olga", "bob"):
        get_user_model().objects.filter(username=name).update(is_active=False)
        with pytest.raises(NotADecider):
            approve(approval)
        get_user_model().objects.filter(username=name).update(is_active=True)
    approve(approval)


def test_the_role_that_the_absent_person_loses_is_lost_to_the_deputy(office):
    away()
    approval = propose(6_000)
    office["olga"].user_permissions.clear()
    with pytest.raises(NotADecider):
        approve(approval)


def _decision(approval, delegation, persons, **changes):
    values = {
        "status": "approved",
        "decided_by_name": "bob",
        "decided_by_kind": "person",
        "decided_at": LATER,
        "decided_persons": persons,
        "decided_for_name": "olga",
        "delegation": delegation,
    }
    return Approval.objects.filter(pk=approval.pk).update(**values | changes)


def test_the_database_refuses_a_decision_for_one_of_the_two(office):
    delegation = away()
    approval = propose(6_000)
    bob, olga = (f"user:{office[name].pk}" for name in ("bob", "olga"))
    wrong = [
        ([bob], {}),
        ([olga], {}),
        ([bob, olga], {"decided_at": delegation.ends_at}),
        ([bob, olga], {"decided_for_name": ""}),
        ([bob, olga, *approval.asked_persons], {}),
    ]
    for persons, changes in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            _decision(approval, delegation, persons, **changes)
    security.revoke_delegation(delegation.pk, reason="x", actor=OLGA, now=NOON)
    with pytest.raises(IntegrityError, match="counts for both"), transaction.atomic():
        _decision(approval, delegation, [bob, olga])


def _row(office, absent, deputy, **changes):
    values = {
        "absent": office[absent],
        "deputy": office[deputy],
        "starts_at": NOON,
        "ends_at": NOON + WEEK,
        "named_at": NOON,
        "named_by_name": absent,
        "named_by_kind": "person",
        "named_persons": [f"user:{office[absent].pk}"],
        "reason": "x",
    }
    return Delegation.objects.create(**values | changes)


def test_the_database_refuses_delegations_that_the_service_refuses(office):
    away()
    bob = office["bob"]
    wrong = [
        ("henry", "henry", {}),
        ("olga", "henry", {}),
        ("bob", "henry", {}),
        ("henry", "olga", {}),
        ("henry", "bob", {"named_persons": [f"user:{bob.pk}"]}),
        ("henry", "bob", {"ends_at": NOON}),
        ("henry", "bob", {"starts_at": NOON - WEEK}),
    ]
    for absent, deputy, changes in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            _row(office, absent, deputy, **changes)
    for change in (
        lambda rows: rows.update(ends_at=NOON + 2 * WEEK),
        lambda rows: rows.update(deputy=office["henry"]),
        lambda rows: rows.delete(),
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change(Delegation.objects.all())
