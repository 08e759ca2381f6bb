"""Reviews of access: started with a line for each role of each person, decided line by line."""

from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import Max

from alerts import services as alerts
from alerts.models import Alert
from common.live_notices import announce, person_topic
from gate import roles
from gate.alert_kinds import ACCESS_REVIEW_OVERDUE
from gate.audit_actions import Action
from gate.models import AccessReview, AccessReviewLine
from gate.queries.sign_ins import second_factors
from gate.refusals import (
    OwnAccess,
    ReviewLineDecided,
    ReviewLineNotFound,
    ReviewOpen,
    ReviewPast,
    SuperuserAccess,
)
from keys.reasons import check_reason
from security import audit, persons
from security.actor import Actor, ActorKind
from security.models import Approval

_Kind, _Decision = AccessReviewLine.Kind, AccessReviewLine.Decision
_ACTOR = Actor.job("access reviews")


@transaction.atomic(durable=True)
def start_review(
    title: str, *, due_at: datetime, reason: str, actor: Actor, now: datetime
) -> AccessReview:
    """Start a review of all roles that people have now. Refusals: WrongValue, ReviewPast,
    ReviewOpen."""
    check_reason(reason)
    if due_at <= now:
        raise ReviewPast
    try:
        with transaction.atomic():
            review = AccessReview.objects.create(
                title=title,
                started_by=str(actor),
                started_at=now,
                due_at=due_at,
                reason=reason[:300],
            )
    except IntegrityError as error:
        raise ReviewOpen from error
    lines = AccessReviewLine.objects.bulk_create(_lines(review))
    audit.record(
        actor=actor,
        action=Action.ACCESS_REVIEW_START,
        subject=f"access_review:{review.pk}",
        after={"title": title, "due_at": due_at, "lines": len(lines)},
        reason=reason,
        at=now,
    )
    _complete(review, actor=actor, now=now)
    return review


@transaction.atomic(durable=True)
def decide_line(
    line_id: int, *, decision: str, reason: str, actor: Actor, now: datetime
) -> AccessReviewLine:
    """Confirm the role of a line, or remove it from the person now.

    Refusals: WrongValue, ReviewLineNotFound, ReviewLineDecided, OwnAccess, SuperuserAccess.
    """
    check_reason(reason)
    # The review first, so that of two who decide at once the second one sees the last line.
    review = AccessReview.objects.select_for_update(no_key=True).filter(lines=line_id).first()
    rows = AccessReviewLine.objects.select_related("person").select_for_update(of=("self",))
    line = rows.filter(pk=line_id).first()
    if review is None or line is None:
        raise ReviewLineNotFound(line_id=line_id)
    if line.decision != _Decision.OPEN:
        raise ReviewLineDecided(line_id=line_id, decision=line.decision)
    _check_reviewer(line, actor)
    if decision == _Decision.REMOVED:
        _remove(line)
    line.decision, line.reason, line.decided_at = decision, reason[:300], now
    line.decided_by, line.decided_persons = str(actor), persons.identities(actor)
    line.save(update_fields=["decision", "reason", "decided_at", "decided_by", "decided_persons"])
    audit.record(
        actor=actor,
        action=Action.ACCESS_REVIEW_DECIDE,
        subject=f"user:{line.person_id}",
        related=[f"access_review:{review.pk}"],
        before={line.kind: line.role, "cost_centres": line.cost_centres},
        after={"decision": decision},
        reason=reason,
        at=now,
    )
    _complete(review, actor=actor, now=now)
    return line


@transaction.atomic(durable=True)
def alert_of_overdue_reviews(*, now: datetime) -> None:
    """Raise an alert for a review that is overdue: once, also if a person has resolved it since."""
    for review in AccessReview.objects.filter(completed_at=None, due_at__lte=now):
        dedup_key = _dedup_key(review)
        if Alert.objects.filter(dedup_key=dedup_key).exists():
            continue
        count = review.lines.filter(decision=_Decision.OPEN).count()
        alerts.raise_alert(
            kind=ACCESS_REVIEW_OVERDUE,
            dedup_key=dedup_key,
            title=f"The review of access {review.title} is overdue: {count} lines are open",
            facts={"review_id": review.pk, "open": count},
            now=now,
        )


def _dedup_key(review: AccessReview) -> str:
    return f"{ACCESS_REVIEW_OVERDUE.slug}:{review.pk}"


def _complete(review: AccessReview, *, actor: Actor, now: datetime) -> None:
    """Say that the review is completed, if its last line was decided."""
    if review.lines.filter(decision=_Decision.OPEN).exists():
        return
    review.completed_at = now
    review.save(update_fields=["completed_at"])
    counts = {
        each.value: review.lines.filter(decision=each).count()
        for each in (_Decision.CONFIRMED, _Decision.REMOVED)
    }
    audit.record(
        actor=actor,
        action=Action.ACCESS_REVIEW_COMPLETE,
        subject=f"access_review:{review.pk}",
        after=counts,
        at=now,
    )
    alerts.resolve_by_key(_dedup_key(review), actor=_ACTOR, note="completed", now=now)


def _lines(review: AccessReview) -> Iterator[AccessReviewLine]:
    factors, decisions = second_factors(), _last_decisions()
    people = User.objects.filter(is_active=True).order_by("username")
    for person in people.prefetch_related("groups", "user_permissions", "centre_bindings"):
        for kind, role in _held(person):
            yield AccessReviewLine(
                review=review,
                person=person,
                persons=persons.identities_of_user(person),
                kind=kind,
                role=role,
                cost_centres=sorted(each.cost_centre_id for each in person.centre_bindings.all()),
                last_sign_in=person.last_login,
                last_decision=decisions.get(person.username),
                factors=", ".join(factors.get(person.pk, [])),
            )


def _held(person: User) -> Iterator[tuple[str, str]]:
    """What the person may do, line by line."""
    if person.is_superuser:
        yield _Kind.SUPERUSER, "superuser"
    for group in sorted(person.groups.all(), key=lambda each: each.name):
        yield (_Kind.ROLE if group.name in roles.roles() else _Kind.GROUP), group.name
    own = sorted(each.codename for each in person.user_permissions.all())
    if own:
        more = f" and {len(own) - 3} more" if len(own) > 3 else ""
        yield _Kind.PERMISSIONS, f"{', '.join(own[:3])}{more}"[:150]


def _last_decisions() -> dict[str, datetime]:
    """When each person last decided an approval, by user name."""
    decided = Approval.objects.filter(
        decided_by_kind=ActorKind.PERSON,
        status__in=(Approval.Status.APPROVED, Approval.Status.REJECTED),
    ).order_by()
    return dict(decided.values_list("decided_by_name").annotate(Max("decided_at")))


def _check_reviewer(line: AccessReviewLine, actor: Actor) -> None:
    """Another person; about a superuser, another superuser."""
    reviewer = persons.user_of(actor)
    if reviewer is None or {*persons.identities_of_user(reviewer)} & {
        *line.persons,
        *persons.identities_of_user(line.person),
    }:
        raise OwnAccess
    if line.person.is_superuser and not reviewer.is_superuser:
        raise SuperuserAccess(username=line.person.username)


def _remove(line: AccessReviewLine) -> None:
    """Take from the person what the line names; what they no longer have is no error."""
    person = User.objects.select_for_update(no_key=True).get(pk=line.person_id)
    if line.kind == _Kind.SUPERUSER:
        person.is_superuser = False
        person.save(update_fields=["is_superuser"])
    elif line.kind == _Kind.PERMISSIONS:
        person.user_permissions.clear()
    else:
        person.groups.remove(*Group.objects.filter(name=line.role))
    announce(person_topic(person.pk))
