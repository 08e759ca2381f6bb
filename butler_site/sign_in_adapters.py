"""What django-allauth asks Butler: who may sign up (nobody), how seeds are sealed, where requests
come from."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth import authenticate
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from gate import services as gate
from security.request_actor import address_of


class AccountAdapter(DefaultAccountAdapter):
    """Names and passwords."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: administrators invite people."""
        return False

    @sensitive_variables()
    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Check the password. django-axes counts wrong ones; a count by name alone, as allauth
        has, would let anybody keep the owner of a name out."""
        return authenticate(request, **credentials)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the proxy saw, not one that a client made up."""
        return address_of(request)


class SecondFactorAdapter(DefaultMFAAdapter):
    """TOTP, passkeys and recovery codes."""

    @sensitive_variables()
    def encrypt(self, text: str) -> str:
        """Seal a seed."""
        return gate.seal_seed(text)

    @sensitive_variables()
    def decrypt(self, encrypted_text: str) -> str:
        """Unseal a seed."""
        return gate.unseal_seed(encrypted_text)
