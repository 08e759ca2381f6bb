"""Refusals of the app. `butler_site.errors` gives each its status."""

from dataclasses import dataclass

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class ViewNameTaken(Refusal):
    """The person has a view of this page with this name."""

    name: str

    def sentence(self) -> str:
        """What to do instead."""
        return f"You already have a view named {self.name} here. Choose another name."


@dataclass(kw_only=True, eq=False)
class TooManyExports(Refusal):
    """As many files of the person are being made as may be."""

    open_max: int

    def sentence(self) -> str:
        """When to ask again."""
        return f"{self.open_max} files are being made for you. Wait until one of them is ready."


@dataclass(eq=False)
class ExportNotAllowed(Refusal):
    """The person may no longer see all that is in the file."""

    def sentence(self) -> str:
        """How to get a file."""
        return "Your access has changed since this file was made. Ask for the file again."


@dataclass(kw_only=True, eq=False)
class TooManyRows(Refusal):
    """A sheet of Excel does not hold so many rows."""

    rows_max: int

    def sentence(self) -> str:
        """What to do instead."""
        return f"An Excel sheet holds {self.rows_max:,} rows. Choose CSV, or fewer rows."


@dataclass(kw_only=True, eq=False)
class ChecklistUnmet(Refusal):
    """Items of the checklist of a month are neither met nor waived with a reason."""

    month: str
    items: list[str]

    def sentence(self) -> str:
        """What to do instead."""
        return (
            f"{self.month} cannot be locked: see to the open items of its checklist, or waive "
            f"them with a reason. Open: {', '.join(self.items)}."
        )


@dataclass(kw_only=True, eq=False)
class MonthNotLocked(Refusal):
    """Only a month that is locked and not signed yet can be signed."""

    month: str

    def sentence(self) -> str:
        """What to do instead."""
        return f"{self.month} is not locked, or it is signed already. Load the page again."


@dataclass(kw_only=True, eq=False)
class SecondSignerNeeded(Refusal):
    """The person signed the month already, perhaps with another account."""

    month: str

    def sentence(self) -> str:
        """Who signs instead."""
        return f"You have signed {self.month} already. Another person must sign it, too."


@dataclass(eq=False)
class SignerUnknown(Refusal):
    """Only persons sign: not jobs, agents or commands."""

    def sentence(self) -> str:
        """Who signs instead."""
        return "Only a person who has signed in can sign a month."


@dataclass(kw_only=True, eq=False)
class SharesInvalid(Refusal):
    """The shares of a rule are no parts of a whole."""

    lacks: str
    field: str = "targets"

    def sentence(self) -> str:
        """What to do instead."""
        return self.lacks


@dataclass(kw_only=True, eq=False)
class MonthNotReopenable(Refusal):
    """Only the latest closed month can be reopened, since each builds on the one before."""

    month: str
    latest: str

    def sentence(self) -> str:
        """What to do instead."""
        if not self.latest:
            return f"{self.month} is open already."
        return (
            f"Only the latest closed month, {self.latest}, can be reopened. Correct {self.month} "
            "by adjustments: they count in the next month that is closed."
        )
