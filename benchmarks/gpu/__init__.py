"""What a GPU makes of small networks: ``python -m benchmarks.gpu``."""
