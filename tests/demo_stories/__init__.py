"""The demo's stories without servers: simulated pumps, the live watch, the rule of the decision."""
