"""Files and queues outside the service."""
