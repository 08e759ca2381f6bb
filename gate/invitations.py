"""The link with which a person who was invited sets a password."""

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode


def invitation_url(person: User) -> str:
    """A link that works for three days, until a password was set with it."""
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    path = reverse("invitation", args=[uid, default_token_generator.make_token(person)])
    return f"{settings.PUBLIC_URL}{path}"
