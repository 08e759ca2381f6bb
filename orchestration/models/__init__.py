"""Tables of the Agent Orchestrator. State machines are drawn in the docstrings."""

from orchestration.models.attempts import Attempt
from orchestration.models.commands import Command
from orchestration.models.experiments import Experiment, ExperimentPart
from orchestration.models.limits import Concurrency
from orchestration.models.sub_tasks import Dependency, SubTask
from orchestration.models.tasks import KeyedChange, Task

__all__ = [
    "Attempt",
    "Command",
    "Concurrency",
    "Dependency",
    "Experiment",
    "ExperimentPart",
    "KeyedChange",
    "SubTask",
    "Task",
]
