"""Who is one person behind several accounts: the person who asks for a change cannot decide it.

An identity is a text: `user:7` for an account, `email:ada@example.org` for the address of an
account, `agent:ada` for a program. Two actors are the same person if they share an identity.
"""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from security.actor import Actor, ActorKind


def user_of(actor: Actor) -> User | None:
    """The account of a person who acts; None for a program, or if the account is gone."""
    if actor.kind != ActorKind.PERSON:
        return None
    found: User | None = get_user_model().objects.filter(username=actor.name).first()
    return found


def identities(actor: Actor) -> list[str]:
    """The identities of an actor: of a person, the account and its e-mail address."""
    user = user_of(actor)
    return identities_of_user(user) if user else [f"{actor.kind.value}:{actor.name}"]


def identities_of_user(user: User) -> list[str]:
    """The identities of an account."""
    email = plain_address(user.email)
    return [f"user:{user.pk}", *([f"email:{email}"] if email else [])]


def plain_address(email: str) -> str:
    """The address without capitals and without what follows a plus: one mailbox, one text."""
    name, at, host = email.strip().lower().rpartition("@")
    return f"{name.partition('+')[0]}{at}{host}"


def is_actor(user: AbstractBaseUser | AnonymousUser, *, name: str, kind: str) -> bool:
    """Whether the user who has signed in is the person of this name."""
    return kind == ActorKind.PERSON and user.get_username() == name
