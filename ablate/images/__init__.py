"""The built-in task: training image classifiers, in cohorts where networks stack."""
