"""An app that exists in tests only: a model with a sealed secret."""
