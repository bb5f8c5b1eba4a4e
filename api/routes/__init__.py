"""Route tables, one module for each noun."""
