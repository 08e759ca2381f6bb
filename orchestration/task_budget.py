"""How many tokens of a task's budget an attempt gets.

Pure functions of numbers that were read under the task's lock.
"""

from dataclasses import dataclass, field

from orchestration.models import SubTask

# An attempt with fewer tokens is not worth a call.
TOKENS_MIN = 100
# No allocation is larger; a budget that is raised again and again may be.
TOKENS_MAX = 10**12


@dataclass
class TaskBudget:
    """What a task can lend now, all in tokens but `payable`.

    `free`: neither lent nor used. `promised`: what is left of the shares of open sub-tasks.
    `returned`: what ended sub-tasks did not use. `reserve`: kept for retries. `lent`: to attempts,
    which may return some. `payable`: how many waiting sub-tasks can start with their own share.
    `spent`: by earlier attempts, by sub-task id. Results: `later`, the sub-tasks that wait for
    tokens which others may return; `broke`, those that cannot get enough tokens any more.
    """

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
        """Lend tokens to the next attempt of a sub-task. Returns how many; 0 if it must wait."""
        tokens = self._affordable(sub_task)
        tokens = min(tokens, TOKENS_MAX)
        if sub_task.tokens_max is not None:
            tokens = min(tokens, sub_task.tokens_max)
        if tokens < min(TOKENS_MIN, sub_task.share):
            self._refuse(sub_task)
            return 0
        self.free -= tokens
        self.lent += tokens
        self.promised -= self._unspent_share(sub_task)
        self.returned -= tokens - self._unspent_share(sub_task)
        return tokens

    def _refuse(self, sub_task: SubTask) -> None:
        """Let the sub-task wait if others may return tokens; else give its rest to the others."""
        kept = self._unspent_share(sub_task)
        others = self.payable - (kept >= min(TOKENS_MIN, sub_task.share))
        if self.lent or others and self.free >= self.promised:
            self.later.append(sub_task)
            return
        self.broke.append(sub_task)
        self.promised -= kept
        self.returned += kept

    def _affordable(self, sub_task: SubTask) -> int:
        # Retries beyond the shares were paid from the reserve. Shares come before the reserve.
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
