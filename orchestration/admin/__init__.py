"""The app in the admin."""

from orchestration.admin.command import CommandAdmin

__all__ = ["CommandAdmin"]
