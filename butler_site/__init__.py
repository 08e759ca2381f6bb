"""The site: settings, urls, error table, schedules; wires every app, has no domain of its own."""
