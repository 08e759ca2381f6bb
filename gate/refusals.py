"""Refusals of the app. `butler_site.errors` gives each its status."""

from dataclasses import dataclass

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class PersonExists(Refusal):
    """A person with this user name exists."""

    username: str

    def sentence(self) -> str:
        """The name that is taken."""
        return f"A person with the user name {self.username} exists. Choose another user name."


@dataclass(kw_only=True, eq=False)
class OwnAccess(Refusal):
    """People do not change their own access."""

    def sentence(self) -> str:
        """Whom to ask."""
        return "You cannot change your own access. Ask another administrator."
