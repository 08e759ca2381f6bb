"""A worker: runs many attempts at once, as coroutines of one process."""

from orchestration.worker.loop import work_until_done
from orchestration.worker.processes import Processes

__all__ = ["Processes", "work_until_done"]
