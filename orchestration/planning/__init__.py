"""Planning: divide a description into parts, or check those of a caller, and split the budget.

Pure functions, no rows: the same input always gives the same plan.
"""

from orchestration.planning.base import (
    ESTIMATE_MIN,
    PLANNING_KEY,
    WEIGHTS,
    Part,
    planning_part,
)
from orchestration.planning.budget_split import PART_TOKENS_MIN, shares_within, split
from orchestration.planning.dependency_graph import check_plan
from orchestration.planning.explicit import explicit_plan
from orchestration.planning.keyword_planner import KeywordPlan, keyword_plan, noted_keyword_plan
from orchestration.planning.model_planner import UnusablePlan, model_request, plan_of_answer

__all__ = [
    "ESTIMATE_MIN",
    "PART_TOKENS_MIN",
    "PLANNING_KEY",
    "WEIGHTS",
    "KeywordPlan",
    "Part",
    "UnusablePlan",
    "check_plan",
    "explicit_plan",
    "keyword_plan",
    "model_request",
    "noted_keyword_plan",
    "plan_of_answer",
    "planning_part",
    "shares_within",
    "split",
]
