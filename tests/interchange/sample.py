"""The sample of state files."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
