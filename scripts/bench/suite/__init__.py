"""What scripts/bench/served.py is made of."""
