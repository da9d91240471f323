"""What is accepted and what is settled. Pure: no I/O, no clock."""
