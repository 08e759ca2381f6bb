"""Where savings are looked for: one module for each kind, each a function of now."""
