"""The demo: a simulated pump service company, its stories, and an autopilot that plays its people over HTTP."""
