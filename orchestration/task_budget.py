"""Who gets how much of a task's budget: pure, on numbers that were read under the task's lock."""

from dataclasses import dataclass, field

from orchestration.models import SubTask

# Fewer are not worth a call.
TOKENS_MIN = 100


@dataclass
class TaskBudget:
    """What a task can lend now: `free` of its budget, `promised` of that to sub-tasks to come (what
    is left of their shares), `returned` by those that used less, `reserve` for retries. `lent` to
    attempts that may return it; `payable`: waiting sub-tasks whose own share is enough for an
    attempt; `spent` by earlier attempts of a sub-task. `later` and `broke`: those that must wait
    for what others return, and those for whom nothing will come."""

    free: int
    promised: int
    returned: int
    reserve: int
    lent: int
    payable: int
    spent: dict[int, int]
    later: list[SubTask] = field(default_factory=list)
    broke: list[SubTask] = field(default_factory=list)

    def lend(self, sub_task: SubTask) -> int:
        """How many tokens its next attempt gets; 0: none for now."""
        tokens = self._affordable(sub_task)
        if tokens < min(TOKENS_MIN, sub_task.share):
            self._refuse(sub_task)
            return 0
        self.free -= tokens
        self.lent += tokens
        self.promised -= self._unspent_share(sub_task)
        self.returned -= tokens - self._unspent_share(sub_task)
        return tokens

    def _refuse(self, sub_task: SubTask) -> None:
        """Let it wait for what others return, if any can; else what was kept for it is theirs."""
        kept = self._unspent_share(sub_task)
        others = self.payable - (kept >= min(TOKENS_MIN, sub_task.share))
        if self.lent or others and self.free >= self.promised:
            self.later.append(sub_task)
            return
        self.broke.append(sub_task)
        self.promised -= kept
        self.returned += kept

    def _affordable(self, sub_task: SubTask) -> int:
        # What retries took beyond the shares came out of the reserve, and shares come before it.
        reserve = min(self.reserve + min(self.returned, 0), self.free - self.promised)
        reserve = 0 if sub_task.attempts_made else max(reserve, 0)
        kept = self._unspent_share(sub_task)
        most = self.free - reserve - (self.promised - kept)
        if sub_task.error_kind == "budget_exhausted":
            return most
        bonus = max(self.returned, 0) * kept // max(self.promised, 1)
        return min(sub_task.share + bonus, most)

    def _unspent_share(self, sub_task: SubTask) -> int:
        return max(sub_task.share - self.spent.get(sub_task.pk, 0), 0)
