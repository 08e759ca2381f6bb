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
class SuperuserAccess(Refusal):
    """Only superusers change the access of superusers."""

    username: str

    def sentence(self) -> str:
        """Whom to ask."""
        return f"{self.username} is a superuser. Only another superuser can change that access."


@dataclass(kw_only=True, eq=False)
class TooManyBudgetRequests(Refusal):
    """As many budget requests of the agent or the person wait as may wait."""

    agent: str
    open_max: int

    def sentence(self) -> str:
        return (
            f"{self.open_max} budget requests of {self.agent} wait for a decision. Wait "
            "for one of them, or withdraw one."
        )


@dataclass(kw_only=True, eq=False)
class RevealNotOpen(Refusal):
    """The secret was not approved for this person, was shown, or its 15 minutes are over."""

    key_id: str

    def sentence(self) -> str:
        """What is needed to see it."""
        return (
            f"The secret of {self.key_id} is shown once, to the person who asked, within 15 "
            "minutes of the approval. Ask again."
        )


@dataclass(eq=False)
class BackupUnreadable(Refusal):
    """The file is not a backup, the passphrase is wrong, or the file was changed or cut off."""


@dataclass(kw_only=True, eq=False)
class BackupFailed(Refusal):
    """A program of PostgreSQL failed."""

    program: str
    reason: str

    def sentence(self) -> str:
        """What it said."""
        return f"{self.program} failed: {self.reason}"


@dataclass(eq=False)
class NotEmpty(Refusal):
    """There is something where a backup would be restored."""

    def sentence(self) -> str:
        """Where to restore instead."""
        return (
            "The database has tables. Set DATABASE_URL to an empty database, or BUTLER_VAR_DIR to "
            "an empty folder, and restore there."
        )


@dataclass(kw_only=True, eq=False)
class FindingNotFound(Refusal):
    """The finding does not exist."""

    finding_id: int

    def sentence(self) -> str:
        return f"The finding {self.finding_id} does not exist."


@dataclass(kw_only=True, eq=False)
class FindingDecided(Refusal):
    """The finding was fixed or allowed before."""

    finding_id: int
    status: str

    def sentence(self) -> str:
        return f"The finding {self.finding_id} is already {self.status}."


@dataclass(eq=False)
class ReviewOpen(Refusal):
    """Another review of access is not completed."""

    def sentence(self) -> str:
        """What to do first."""
        return "Another review of access is open. Decide its lines first."


@dataclass(kw_only=True, eq=False)
class ReviewPast(Refusal):
    """A review of access would be due before it starts."""

    field: str = "due"

    def sentence(self) -> str:
        """What to choose."""
        return "Choose a day in the future."


@dataclass(kw_only=True, eq=False)
class ReviewLineNotFound(Refusal):
    """The review has no such line."""

    line_id: int

    def sentence(self) -> str:
        """Which."""
        return f"The line {self.line_id} does not exist."


@dataclass(kw_only=True, eq=False)
class ReviewLineDecided(Refusal):
    """Somebody has confirmed or removed the role already."""

    line_id: int
    decision: str

    def sentence(self) -> str:
        """What was decided."""
        return f"This line is already {self.decision}."
