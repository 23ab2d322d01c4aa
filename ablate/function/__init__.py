"""Tasks that are a Python function ``train(config, seed, report)``; PyTorch is not needed."""
