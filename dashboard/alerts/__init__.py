"""The inbox of alerts: what people must know, what it means, and what they did about it."""
