"""Commands: command-line agents that a superuser has configured."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from keys.models import Agent, CostCentre, WireFormat


class CommandQuerySet(models.QuerySet["Command"]):
    """Filters of commands."""

    def open_to(self, agent: str) -> "CommandQuerySet":
        """The commands that this agent may choose."""
        centre = Agent.objects.filter(pk=agent).values_list("cost_centre__path", flat=True).first()
        by_centre = Q(cost_centres__in=centre or [])
        return self.filter(Q(agents=agent) | by_centre).distinct()


class Command(models.Model):
    """A command-line agent, run as the runner `command:<slug>`.

    Butler runs only such rows, and never through a shell. `argv`: the program and its arguments,
    one by one; values of a request replace placeholders (`runners.placeholders`) and never become
    additional arguments. `prompt_by`: how the program gets its prompt. `result_from`: where Butler
    reads the result; `result_path`: the name of a file in the working folder, or the path of a
    JSON field, with dots between its names. `environment`: variables besides PATH, HOME, LANG and
    TMPDIR. `wire_format`: the wire format that its API keys must support. `refusal_status`: the
    HTTP status that tells it that its budget is used up. `output_bytes_max`: how many bytes of its
    output Butler keeps, half from the beginning and half from the end.

    The program runs in a fence (`runners.fence`), which has `read_only_folders` in it besides the
    programs of the system, and ends what exceeds `memory_bytes_max` or `processes_max`.
    `folder_bytes_max`: the size of its working folder. `unfenced_because`: why the fence is
    switched off; empty if it is not.

    Only `agents`, and agents of `cost_centres` or of those below them, may choose it.
    """

    class PromptBy(models.TextChoices):
        STDIN = "stdin", "standard input"
        ARGUMENT = "argument", "an argument: {prompt}"
        FILE = "file", "a file: {prompt_file}"

    class ResultFrom(models.TextChoices):
        STDOUT = "stdout", "standard output"
        JSON = "json", "a field of the JSON on standard output"
        FILE = "file", "a file in its working folder"

    slug = models.SlugField(primary_key=True, max_length=64)
    argv = ArrayField(models.TextField())
    environment = models.JSONField(default=dict, blank=True)
    prompt_by = models.CharField(max_length=8, choices=PromptBy, default=PromptBy.STDIN)
    result_from = models.CharField(max_length=6, choices=ResultFrom, default=ResultFrom.STDOUT)
    result_path = models.CharField(max_length=200, blank=True)
    wire_format = models.CharField(max_length=9, choices=WireFormat)
    refusal_status = models.PositiveSmallIntegerField(null=True, blank=True)
    output_bytes_max = models.PositiveIntegerField(default=1_000_000)
    read_only_folders = ArrayField(models.TextField(), default=list, blank=True)
    memory_bytes_max = models.PositiveBigIntegerField(default=4_000_000_000)
    processes_max = models.PositiveIntegerField(default=500)
    folder_bytes_max = models.PositiveBigIntegerField(
        default=500_000_000,
        help_text="The size of the working folder, which is kept in the memory of the machine.",
    )
    unfenced_because = models.CharField(
        max_length=200,
        blank=True,
        help_text="Leave it empty. A reason here switches the fence off: the program then runs as "
        "Butler's own user and can read Butler's secrets.",
    )
    agents = models.ManyToManyField(
        Agent,
        blank=True,
        related_name="+",
        help_text="The agents whose tasks may use this command.",
    )
    cost_centres = models.ManyToManyField(
        CostCentre,
        blank=True,
        related_name="+",
        help_text="All agents of these cost centres, and of those below, may use this command. "
        "Without an agent and a cost centre, no task can use it.",
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = CommandQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=Q(argv__len__gt=0), name="command_has_a_program"),
            models.CheckConstraint(
                condition=Q(result_from="stdout", result_path="")
                | ~Q(result_from="stdout") & ~Q(result_path=""),
                name="command_says_where_its_result_is",
            ),
            models.CheckConstraint(
                condition=Q(output_bytes_max__gt=0), name="command_may_print_something"
            ),
            models.CheckConstraint(
                condition=Q(memory_bytes_max__gt=0, processes_max__gt=0, folder_bytes_max__gt=0),
                name="command_may_use_something",
            ),
        ]

    def __str__(self) -> str:
        return self.slug
