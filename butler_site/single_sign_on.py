"""Single sign-on by OpenID Connect: who comes in, and the roles that their groups give."""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import render
from django.utils import timezone

from gate import queries
from gate import services as gate
from gate.access import Access
from gate.refusals import PersonExists
from security.actor import Actor

_ACTOR = Actor.job("single sign-on")


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Lets people in who were let in before, who have an account with the e-mail address that the
    provider has verified, or whose groups have a role. Superusers are never linked."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Never: `pre_social_login` has made the account."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Find or make the account, then give it the roles of the groups."""
        if sociallogin.state.get("process") != "login":
            raise _refusal(request, "An account is linked when its person signs in.")
        claims = _claims(sociallogin.account.extra_data)
        roles = _roles(claims)
        if not sociallogin.is_existing:
            sociallogin.connect(request, _person(request, claims, roles))
        person = sociallogin.user
        if settings.OIDC_ROLES and not person.is_superuser:
            centres = queries.access_of(person).centres
            gate.set_access(
                person,
                access=Access(roles, centres),
                reason="groups of the provider",
                actor=_ACTOR,
                now=timezone.now(),
            )


def _claims(extra_data: dict[str, Any]) -> dict[str, Any]:
    return {**extra_data.get("id_token", {}), **extra_data.get("userinfo", {})}


def _roles(claims: dict[str, Any]) -> frozenset[str]:
    groups = claims.get(settings.OIDC_GROUPS_CLAIM) or []
    names = groups if isinstance(groups, list) else [groups]
    return frozenset(settings.OIDC_ROLES[name] for name in names if name in settings.OIDC_ROLES)


def _person(request: HttpRequest, claims: dict[str, Any], roles: frozenset[str]) -> User:
    """The account of a person who comes for the first time."""
    email = claims.get("email") or ""
    if not email or claims.get("email_verified") is not True:
        raise _refusal(request, "The provider has not verified your e-mail address.")
    found = list(User.objects.filter(email__iexact=email)[:2])
    if len(found) == 1 and not found[0].is_superuser:
        return found[0]
    if found or not roles:
        raise _refusal(request, "No account is open for your e-mail address.")
    name = str(claims.get("preferred_username") or email)[:150]
    try:
        access = Access(roles, frozenset())
        return gate.invite(name, email=email, access=access, actor=_ACTOR, now=timezone.now())
    except PersonExists as refusal:
        raise _refusal(request, "Your user name belongs to another account.") from refusal


def _refusal(request: HttpRequest, reason: str) -> ImmediateHttpResponse:
    page = render(request, "butler_site/sign_in_refused.html", {"reason": reason}, status=403)
    return ImmediateHttpResponse(page)
