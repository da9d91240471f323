"""State detection, health, diagnosis and prognosis of one machine: numpy and `contracts` alone."""
