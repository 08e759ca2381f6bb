"""Admin pages of the app. `people` is what the page of users, which `butler_site` has, adds."""

from gate.admin.reveal import RevealAdmin

__all__ = ["RevealAdmin"]
