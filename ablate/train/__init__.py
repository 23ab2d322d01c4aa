"""Train a cohort of runs: configurations and images in, results out; pure."""
