"""All SQL of the fabric, one module for each noun."""
