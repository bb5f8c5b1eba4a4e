"""Decides what runs where and when; runs no user code."""
