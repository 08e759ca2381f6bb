"""Descriptions of fields that several serializers have.

An OpenAPI reader sees nothing else: each is a full sentence that stands alone.
"""

# Names
SESSION_ID = "Identifies the session that the allocation was lent to."
KEY_ID = "Identifies the API key, by the name that its operator gave it."
AGENT = "The name of the agent that spends."
COST_CENTRE = "The name of the cost centre that pays."
LABEL = (
    "What the budget is for, in at most 100 characters, for example `invoice-check`; usage can be "
    "grouped by it. Budgets of tasks have `task:` and the id of the task."
)
PROVIDER = "The name of the provider that sells the tokens, for example `openai`."
MODEL = "The name of the model, as its provider spells it."
MODEL_MISMATCH = (
    "What the gateway does with a call for a model that the session cannot use: `serve` answers "
    "with the default model of the API key and names it in the header `x-butler-model`; `refuse` "
    "answers 404 with the list of models. Sessions with `models` always refuse."
)

# Tokens of calls
INPUT_TOKENS = "The number of input tokens, cached tokens and cache writes included."
CACHED_TOKENS = "The part of `input_tokens` that the provider read from its cache."
CACHE_WRITE_TOKENS = "The part of `input_tokens` that the provider wrote to its cache."
CACHE_WRITE_LONG_TOKENS = "The part of `cache_write_tokens` that the provider keeps for an hour."
AUDIO_INPUT_TOKENS = "The part of `input_tokens` that encodes audio."
IMAGE_INPUT_TOKENS = "The part of `input_tokens` that encodes images."
OUTPUT_TOKENS = "The number of output tokens, reasoning, audio and images included."
REASONING_TOKENS = "The part of `output_tokens` that the model spent on reasoning."
AUDIO_OUTPUT_TOKENS = "The part of `output_tokens` that encodes audio."
IMAGE_OUTPUT_TOKENS = "The part of `output_tokens` that encodes images."
WEB_SEARCHES = "The number of web searches that the provider made, beside its tokens."
TOKENS = "The sum of input and output tokens, or the reported total where only that is known."
COST = "The cost in US dollars, calculated with Butler's price book."

# Tokens of allocations
ALLOCATED = "The number of tokens lent to the session."
USED = "The number of tokens that settled calls of the session used."
HELD = "The number of tokens set aside for calls that are still running."
LEFT = "The number of tokens that the session can still spend."
ROTATION_THRESHOLD = "The value of `used`, in tokens, at which the session should rotate."
ROTATION_NEEDED = (
    "True when `used` has reached the rotation threshold and the session has not rotated since."
)
ALLOCATION_STATUS = (
    "The status of the allocation: `active` until it ends as `completed` (the agent is done), "
    "`failed` (the agent gave up), `expired` (no call or heartbeat in "
    "time) or `exhausted` (all is used)."
)
ALLOCATION_EXPIRES_AT = "The time at which the allocation expires unless it is extended."

# Work
TASK_MODEL = "The model that was asked for, or an empty string if any model is acceptable."
TEXTS_DELETED_AT = (
    "The time at which the prompts and results of the task were deleted because their retention "
    "was over, or null before it."
)
TASK_PROVIDER = "The provider that was asked for, or an empty string if any is acceptable."
PRIORITY = "The priority of the sub-task, which weighs its share of the budget."
DEPENDS_ON = "The ids of the sub-tasks that must succeed before this sub-task can start."
IF_DEPENDENCY_FAILS = (
    "What becomes of the sub-task when one that it depends on fails: it fails too (`fail`), it is "
    "cancelled without failing (`skip`), or it runs without that result (`run`)."
)
NEEDS_APPROVAL = "True when a person must approve the sub-task before it can start."
SUB_TASK_ID = "Identifies the sub-task within its task."
SUB_TASK_STATUS = (
    "The status of the sub-task: `blocked` by a dependency, `gated` until a person approves it, "
    "`waiting` for a worker, `running`, `succeeded`, `failed` or `cancelled`."
)
ESTIMATED_TOKENS = "The number of tokens that the sub-task is expected to use."

# Lists
SINCE = "Only rows from this time on are returned, the time itself included."
UNTIL = "Only rows before this time are returned, the time itself excluded."
PAGE_NEXT = "The value of `cursor` that returns the next page, or null on the last page."
