"""A worker: runs many attempts at once, as coroutines of one process."""

from orchestration.worker.loop import work_until_done

__all__ = ["work_until_done"]
