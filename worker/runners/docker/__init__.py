"""The runner whose slots are containers."""
