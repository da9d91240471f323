"""The words of the analysis: models, learning, detection, replay, proof."""

import argparse
from pathlib import Path
from typing import Any

from forewarn.argument_types import count, new_file, positive, speed
from forewarn.proof_arguments import own_past

VERDICTS = ("true", "false", "prevented", "missed", "unknown")
SETS = ("cmapss", "skab", "nab", "azure", "ims", "ai4i")
WHERE_SETS = """where to get the sets:
  cmapss  NASA Prognostics Center of Excellence, "Turbofan Engine Degradation Simulation"
  skab    github.com/waico/SKAB (folders valve1, valve2, other, anomaly-free)
  nab     github.com/numenta/NAB (folders data and labels)
  azure   "Microsoft Azure Predictive Maintenance" on Kaggle (PdM_*.csv)
  ims     NASA Prognostics Center of Excellence, "Bearings" (a table: a time column, a column a bearing)
  ai4i    UCI Machine Learning Repository, "AI4I 2020 Predictive Maintenance"
Files may be plain, .xz or .gz. Exit code 0, however good the figures are."""


def add_analysis(command: Any, group: Any, action: Any) -> None:
    """Add the commands."""
    models = group("model", "asset models")
    model = action(models, "check", "name every fault of an asset model by line, field, rule",
                   "forewarn.commands.models:check")  # fmt: skip
    model.add_argument("file", type=Path, metavar="FILE.yaml")
    sees = action(models, "sees", "which failure modes signals can show, and what one more would add",
                  "forewarn.commands.models:sees")  # fmt: skip
    sees.add_argument("model", metavar="MODEL", help="asset model, by name or file")
    sees.add_argument("--signals", metavar="A,B,...", help="those that are there (default: all of the model's)")
    sees.add_argument("--json", action="store_true", help="machine-readable")
    _learning(command, group, action)
    detect = command("detect", "find anomalies in anybody's CSV file", "forewarn.commands.detect:detect")
    detect.add_argument("file", type=Path, metavar="FILE.csv[.xz|.gz]")
    detect.add_argument("--time", required=True, metavar="COLUMN", help="column of the time")
    detect.add_argument("--train-rows", required=True, type=int, metavar="N", help="the first N rows are healthy")
    which = detect.add_mutually_exclusive_group()
    which.add_argument("--signals", metavar="A,B", help="only these columns")
    which.add_argument("--exclude", metavar="A,B", help="not these columns")
    detect.add_argument("--sep", default="auto", help="separator (default: found by itself)")
    detect.add_argument("--seed", type=int, default=0)
    detect.add_argument(
        "--out", type=new_file, metavar="scores.csv", help="a row per input row: score, threshold, alarm"
    )
    detect.add_argument("--plot", type=new_file, metavar="out.html", help="a page to look at")
    detect.add_argument("--json", type=new_file, metavar="out.json", help="the alarms, machine-readable")
    cmapss = action(group("replay", "send recorded machines down the live road"), "cmapss",
                    "replay turbofan engines run to failure", "forewarn.commands.replay:cmapss")  # fmt: skip
    cmapss.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with train_FD001.txt[.xz|.gz]")
    cmapss.add_argument("--subset", default="FD001", metavar="FD001")
    some = cmapss.add_mutually_exclusive_group()
    some.add_argument("--engines", type=count, metavar="N", help="the first N engines (default: all)")
    some.add_argument("--units", metavar="3,17", help="these engines")
    cmapss.add_argument(
        "--speed", type=speed, default=0.0, metavar="CYCLES_PER_SECOND",
        help="0 = as fast as stored (default)",
    )  # fmt: skip
    cmapss.add_argument("--cycle-hours", type=positive, default=1.0, metavar="H", help="hours a cycle (default 1)")
    cmapss.add_argument("--json", type=new_file, metavar="FILE")
    cmapss.add_argument("--url", help="a running product (default: a temporary one of its own)")
    cmapss.add_argument("--token", help="its API key (role admin)")


def _learning(command: Any, group: Any, action: Any) -> None:
    labels = command("labels", "what findings say about readings: the labels that models learn from",
                     "forewarn.commands.labels:labels")  # fmt: skip
    labels.add_argument("--device", metavar="D", help="of this device")
    labels.add_argument("--verdict", choices=VERDICTS, help="only these")
    labels.add_argument("--corrected", action="store_true", help="with those that a later finding corrected")
    labels.add_argument("--limit", type=count, default=100, metavar="N", help="so many (default %(default)s)")
    labels.add_argument("--tenant", default="local")
    labels.add_argument("--json", action="store_true", help="machine-readable")
    of = "forewarn.commands.learned:"
    train = command("train", "learn remaining life and hazards from what is stored and labelled", f"{of}train")
    train.add_argument("model", metavar="MODEL", help="asset model, such as centrifugal-pump")
    train.add_argument("--seed", type=int, default=0, help="where nothing runs on this home (default %(default)s)")
    learned = group("learned", "learned models: on trial beside the live one, promoted when better, rolled back")
    listed = action(learned, "list", "learned models, newest first", f"{of}list_")
    listed.add_argument("--model", metavar="MODEL", help="of this asset model")
    show = action(learned, "show", "one with all that became of it; exit 1 where its files were altered", f"{of}show")
    card = action(learned, "card", "write its card, a page that stands alone", f"{of}card")
    card.add_argument("--out", type=new_file, required=True, metavar="FILE.html")
    promote = action(learned, "promote", "make a shadow live, if it was better on what happened since", f"{of}promote")
    rollback = action(learned, "rollback", "the live one goes, the one before it comes back", f"{of}rollback")
    rollback.add_argument("model", metavar="MODEL", help="asset model")
    rollback.add_argument("--kind", choices=("life", "events"), help="only of this kind; else the one made live last")
    for sub in (show, card, promote):
        sub.add_argument("id", metavar="ID", help="such as centrifugal-pump-2")
    for sub in (train, listed, show, promote, rollback):
        sub.add_argument("--json", action="store_true", help="machine-readable")
    for sub in (train, listed, show, card, promote, rollback):
        sub.add_argument("--tenant", default="local")


def add_proof(command: Any) -> None:
    """Add the commands."""
    evaluate = command("evaluate", "score a public data set by the live code", "forewarn.commands.evaluate:evaluate")
    evaluate.formatter_class = argparse.RawDescriptionHelpFormatter
    evaluate.epilog = WHERE_SETS
    evaluate.add_argument("set", choices=SETS, metavar="SET", help="one of " + ", ".join(SETS))
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the set")
    evaluate.add_argument(
        "--subset", metavar="NAME", help="a part of the set, such as FD001 or valve2 (default: all; cmapss: the first)"
    )
    evaluate.add_argument("--train", metavar="NAME", help="part that is not scored because choices were fixed on it")
    evaluate.add_argument("--seeds", type=count, default=3, metavar="N", help="seeds 0 to N-1 (default %(default)s)")
    evaluate.add_argument(
        "--perturb", choices=("all",),
        help="repeat it on worse data: shifted, with gaps, doubled, stuck, other units, a channel less",
    )  # fmt: skip
    evaluate.add_argument("--json", type=new_file, metavar="FILE", help="all figures, machine-readable")
    evaluate.add_argument("--html", type=new_file, metavar="FILE", help="a page to look at, with plots")
    own_past(command, positive, new_file)
