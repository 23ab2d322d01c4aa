"""Results that somebody else made: a table with a row a run (or a run and step) becomes the runs of a study."""
