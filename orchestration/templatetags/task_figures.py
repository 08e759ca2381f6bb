"""The bar of a task's sub-tasks in templates: `{% load task_figures %}`."""

from django import template

from orchestration.widgets import sub_tasks_bar

register = template.Library()
register.simple_tag(sub_tasks_bar)
