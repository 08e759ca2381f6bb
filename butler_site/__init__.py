"""The site: settings, urls, error table, schedules; wires every app and holds no domain of its own."""
