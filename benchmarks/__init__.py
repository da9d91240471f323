"""Measurements that anyone can run again; each prints what it found and ends 1 when a promise does not hold."""
