"""Where a job's input comes from, one module for each descriptor."""
