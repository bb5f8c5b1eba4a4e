"""Warm pools: slots that are open before tasks need them, and stay open after."""
