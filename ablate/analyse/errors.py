"""The one error of the analysis."""


class AnalysisError(ValueError):
    """The data or the design cannot carry what was asked for; the message says what is missing and what would do."""
