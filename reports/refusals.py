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
