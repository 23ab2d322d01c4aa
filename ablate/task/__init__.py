"""The seam: what a task, a run, a metric, an engine and an executor are. Knows neither torch nor Hydra."""
