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


@dataclass(kw_only=True, eq=False)
class TooManyBudgetRequests(Refusal):
    """As many budget requests of the agent wait as may wait."""

    agent: str
    open_max: int

    def sentence(self) -> str:
        return (
            f"{self.open_max} budget requests of the agent {self.agent} wait for a decision. Wait "
            "for one of them, or withdraw one."
        )
