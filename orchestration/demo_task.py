"""The demo task, and the agent that submits it."""

from orchestration import services

AGENT = "ada"
IDEMPOTENCY_KEY = "demo"
TASK_REQUEST = services.TaskRequest(
    name="Your first task",
    description="Research market trends, analyze data, write report",
    total_budget=100_000,
)
