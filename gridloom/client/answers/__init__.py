"""Typed answers of the four APIs."""
