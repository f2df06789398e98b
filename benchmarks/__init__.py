"""How fast mien is, beside its own earlier release and its peers, in one run: ``python -m benchmarks``."""
