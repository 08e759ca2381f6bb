"""Admin pages of the app. `people` is what the page of users, which `butler_site` has, adds."""

from gate.admin.finding import FindingAdmin
from gate.admin.reveal import RevealAdmin

__all__ = ["FindingAdmin", "RevealAdmin"]
