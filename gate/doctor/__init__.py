"""What `manage.py doctor` looks at: one function for each check, each with what to do."""
