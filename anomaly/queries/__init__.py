"""What pages and the API read from anomaly."""
