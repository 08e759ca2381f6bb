"""The link with which a person who was invited sets a password."""

from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from common.public_urls import absolute, path_of


def invitation_url(person: User) -> str:
    """A link that works for three days, until a password was set with it."""
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    return absolute(path_of("invitation", [uid, default_token_generator.make_token(person)]))
