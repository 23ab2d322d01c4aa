"""Measurements of the program itself: how fast it trains beside other ways to do so, and how sound its verdicts are."""
