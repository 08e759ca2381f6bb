"""The pages of tasks: the list, one task with its graph, times, parts and events, and one part."""
