"""What the Overview shows, section by section, as values that its templates render."""
