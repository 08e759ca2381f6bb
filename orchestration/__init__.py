"""Agent Orchestrator: tasks, their sub-tasks, attempts by sub-agents, and results.

Verbs: `submit`, `cancel`, `pause`, `resume`, `approve`, `retry_failed` (`services` lists them).
Open: `refusals`, `planning`, `task_texts`.
Invariant: what the attempts of a task are lent and have used never exceeds the task's budget, and
no sub-task has two winners.
"""
