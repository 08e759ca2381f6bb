"""Where people are signed in, and with which second factors."""

from collections import defaultdict
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Count, Exists, OuterRef, QuerySet

# In the words of pages. Codes for recovery are no factor of their own.
_FACTORS = {"totp": "app", "webauthn": "passkey"}


def sign_ins(*, now: datetime) -> QuerySet[UserSession]:
    """The sessions that are signed in now, the last seen first."""
    live = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=now)
    rows: QuerySet[UserSession] = UserSession.objects.filter(Exists(live))
    return rows.order_by("-last_seen_at", "-pk")


def sign_ins_of(person: User, *, now: datetime) -> QuerySet[UserSession]:
    """Where the person is signed in now."""
    return sign_ins(now=now).filter(user=person)


def sign_in_counts(*, now: datetime) -> dict[int, int]:
    """How many sessions each person who is signed in has."""
    counts = sign_ins(now=now).order_by().values_list("user").annotate(Count("pk"))
    return dict(counts)


def second_factors() -> dict[int, list[str]]:
    """The kinds of second factors of each person who has one, as pages call them."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = Authenticator.objects.filter(type__in=_FACTORS).values_list("user", "type").distinct()
    for person, kind in rows.order_by("user", "type"):
        found[person].append(_FACTORS[kind])
    return found
