"""Rules of the service side: pure, given the time, no I/O."""
