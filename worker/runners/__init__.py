"""Ways to run one script: one module for each runner."""
