"""The pages of statements of rails and banks."""
