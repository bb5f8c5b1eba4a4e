"""The steps of an attempt's life, one module for each."""
