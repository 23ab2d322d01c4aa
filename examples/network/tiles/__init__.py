"""Own parts of ablate's image classification: a network, a data set, a metric."""
