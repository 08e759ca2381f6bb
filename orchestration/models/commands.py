"""Commands: command-line agents that an admin configured."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from keys.models import WireFormat


class Command(models.Model):
    """A command-line agent, run as the runner `command:<slug>`.

    Only what stands in such a row is run, and never through a shell: `argv` is the program and its
    arguments, one by one. What comes from a request fills placeholders (see
    `runners.placeholders`), and is then one whole argument, or part of one. `prompt_by`: how the
    program is told what to do. `result_from`: where its answer is found; `result_path` is the name
    of a file in its working folder, or the names of the fields that lead to the answer in the JSON
    it prints, with dots between them. `environment` is all it has besides PATH, HOME, LANG and
    TMPDIR. `wire_format`: what it speaks, so that only keys that do are lent to it;
    `refusal_status`: how it wants to be told that its budget is used up. `output_bytes_max`: so
    much of what it prints is kept, the beginning and the end.
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
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

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
        ]

    def __str__(self) -> str:
        return self.slug
