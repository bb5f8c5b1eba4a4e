"""Where a job's output goes, one module for each descriptor."""
