"""Pages: each one translates a request into queries of other apps, and their answer into HTML."""
