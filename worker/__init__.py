"""Runs tasks on one machine; holds no database."""
