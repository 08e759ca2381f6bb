"""Reviews of access: what is listed, who decides it, what follows, and the alert."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, ProgrammingError, transaction

from alerts import services as alerts
from alerts.models import Alert
from gate import services as gate
from gate.models import AccessReview, AccessReviewLine, CentreBinding
from gate.refusals import (
    OwnAccess,
    ReviewLineDecided,
    ReviewLineNotFound,
    ReviewOpen,
    ReviewPast,
    SuperuserAccess,
)
from security.actor import Actor
from security.models import AuditEntry
from tests.actors import GRACE, OLGA
from tests.gate.approvals import person
from tests.moments import NOON
from tests.threads import overtaken

WEEK = timedelta(days=7)


@pytest.fixture
def office(people):
    """Grace is finance in research and viewer, olga a superuser, bob has a permission."""
    grace, bob = person("grace", may_decide=False), person("bob")
    grace.groups.set(Group.objects.filter(name__in=("finance", "viewer")))
    CentreBinding.objects.create(person=grace, cost_centre_id="research")
    bob.user_permissions.set(Permission.objects.filter(codename="view_agent"))
    person("off", may_decide=False).groups.set(Group.objects.filter(name="viewer"))
    get_user_model().objects.filter(username="off").update(is_active=False)
    return get_user_model().objects.create_superuser("olga", "olga@example.org")


def start(**changes):
    values = {"due_at": NOON + WEEK, "reason": "each quarter", "actor": GRACE, "now": NOON}
    return gate.start_review("Q4", **values | changes)


def decide(line, decision="confirmed", *, actor=OLGA, now=NOON):
    return gate.decide_line(line.pk, decision=decision, reason="asked", actor=actor, now=now)


def line_of(name, role):
    return AccessReviewLine.objects.get(person__username=name, role=role)


def names(user):
    return set(get_user_model().objects.get(username=user).groups.values_list("name", flat=True))


@pytest.mark.django_db
def test_a_review_has_a_line_for_each_role_of_each_person_who_can_sign_in(office):
    start()
    found = AccessReviewLine.objects.values_list("person__username", "kind", "role")
    assert list(found) == [
        ("bob", "permissions", "view_agent"),
        ("grace", "role", "finance"),
        ("grace", "role", "viewer"),
        ("olga", "superuser", "superuser"),
    ]
    assert line_of("grace", "finance").cost_centres == ["research"]


@pytest.mark.django_db
def test_confirming_keeps_a_role_and_removing_takes_it_away(office):
    review = start()
    decide(line_of("grace", "viewer"))
    decide(line_of("grace", "finance"), "removed")
    assert names("grace") == {"viewer"}
    decide(line_of("bob", "view_agent"), "removed")
    assert not get_user_model().objects.get(username="bob").user_permissions.exists()
    get_user_model().objects.create_superuser("iris", "iris@example.org")
    review.refresh_from_db()
    assert review.completed_at is None
    decide(line_of("olga", "superuser"), "removed", actor=Actor.person("iris"))
    assert not get_user_model().objects.get(username="olga").is_superuser
    review.refresh_from_db()
    assert review.completed_at == NOON
    entry = AuditEntry.objects.filter(action="access_review.decide").first()
    assert (entry.actor_name, entry.reason, entry.after) == (
        "iris",
        "asked",
        {"decision": "removed"},
    )
    done = AuditEntry.objects.get(action="access_review.complete")
    assert done.after == {"confirmed": 1, "removed": 3}


@pytest.mark.django_db
def test_nobody_decides_about_themselves_also_not_by_another_account(office):
    start()
    person("gracie", email="Grace+2@example.org")
    for name in ("grace", "gracie"):
        with pytest.raises(OwnAccess):
            decide(line_of("grace", "finance"), actor=Actor.person(name))
    with pytest.raises(SuperuserAccess):
        decide(line_of("olga", "superuser"), actor=GRACE)
    assert not AccessReviewLine.objects.exclude(decision="open").exists()


@pytest.mark.django_db
def test_a_line_is_decided_once(office):
    start()
    line = line_of("grace", "finance")
    decide(line)
    with pytest.raises(ReviewLineDecided):
        decide(line, "removed")
    with pytest.raises(ReviewLineNotFound):
        gate.decide_line(0, decision="removed", reason="x", actor=OLGA, now=NOON)
    assert "finance" in names("grace")


@pytest.mark.django_db
def test_one_review_is_open_at_a_time_and_due_in_the_future(office):
    with pytest.raises(ReviewPast):
        start(due_at=NOON)
    start()
    with pytest.raises(ReviewOpen):
        start()
    for line in AccessReviewLine.objects.exclude(role="superuser"):
        decide(line)
    get_user_model().objects.create_superuser("iris", "iris@example.org")
    decide(line_of("olga", "superuser"), actor=Actor.person("iris"))
    start()


@pytest.mark.django_db
def test_a_review_that_is_overdue_is_told_once_and_resolved_when_it_is_completed(office):
    start()
    gate.alert_of_overdue_reviews(now=NOON)
    assert not Alert.objects.exists()
    for _ in range(2):
        gate.alert_of_overdue_reviews(now=NOON + WEEK)
    alert = Alert.objects.get()
    assert alert.title == "The review of access Q4 is overdue: 4 lines are open"
    review = AccessReview.objects.get()
    assert alert.remedy_path == f"/settings/reviews/{review.pk}"
    alerts.resolve(alert.pk, actor=GRACE, now=NOON + WEEK)
    gate.alert_of_overdue_reviews(now=NOON + 2 * WEEK)
    assert Alert.objects.count() == 1


@pytest.mark.django_db
def test_the_database_refuses_what_the_service_refuses(office):
    review = start()
    line = line_of("grace", "finance")
    rows = AccessReviewLine.objects.filter(pk=line.pk)
    decision = {"decision": "confirmed", "decided_by": "x", "decided_at": NOON, "reason": "x"}
    for wrong in (
        {"decided_persons": line.persons[:1]},
        {"decided_persons": []},
        {"decided_persons": ["user:0"], "reason": ""},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**decision | wrong)
    rows.update(**decision, decided_persons=["user:0"])
    for change in (
        lambda: rows.update(decision="removed"),
        lambda: rows.delete(),
        lambda: AccessReview.objects.update(due_at=NOON + 2 * WEEK),
        lambda: review.delete(),
    ):
        with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            change()


def decide_all_but_those_of_grace():
    get_user_model().objects.create_superuser("iris", "iris@example.org")
    start()
    for line in AccessReviewLine.objects.exclude(person__username__in=("grace", "olga", "iris")):
        decide(line)
    decide(line_of("iris", "superuser"), actor=OLGA)
    decide(line_of("olga", "superuser"), actor=Actor.person("iris"))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_the_last_lines_at_once_one_completes_the_review(office, at_once):
    decide_all_but_those_of_grace()
    left = [line_of("grace", role) for role in ("finance", "viewer")] * 2

    def act(n):
        return decide(left[n], "removed" if n > 1 else "confirmed")

    answers = at_once(act, times=4)
    assert sum(isinstance(each, ReviewLineDecided) for each in answers) == 2
    assert AccessReview.objects.get().completed_at == NOON
    assert AuditEntry.objects.filter(action="access_review.complete").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_two_lines_decided_at_the_same_moment_complete_the_review(office):
    decide_all_but_those_of_grace()
    last = [line_of("grace", role) for role in ("finance", "viewer")]
    about = {"decision": "confirmed", "reason": "still needed", "actor": OLGA, "now": NOON}
    overtaken(
        first=lambda: gate.decide_line.__wrapped__(last[0].pk, **about),
        then=lambda: gate.decide_line(last[1].pk, **about),
    )
    assert AccessReview.objects.get().completed_at == NOON


@pytest.mark.django_db(transaction=True)
def test_of_reviews_started_at_once_one_is(office, at_once):
    answers = at_once(lambda n: start(), times=4)
    assert sum(isinstance(each, ReviewOpen) for each in answers) == 3
    assert AccessReviewLine.objects.count() == 4
