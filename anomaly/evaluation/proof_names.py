"""What the files of a proof in a process of its own are called; whoever starts one need not load the proof itself."""

TELEMETRY, FAILURES, WORK, ERRORS = "telemetry.csv", "failures.csv", "work.csv", "events.csv"
MAPPING, ASKED, PREVIEW = "mapping.yaml", "asked.json", "preview.json"
PAGE, FIGURES, MODEL, DRIVER = "page.html", "figures.json", "model.yaml", "agent.toml"
LOOK, RUN = "look", "run"
