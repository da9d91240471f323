"""What anomaly does with what comes in; the SQL is behind a port."""
