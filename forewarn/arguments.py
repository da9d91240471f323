"""The command line's words: every command with its options, and the function that runs it."""

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from forewarn.environment import WrongUse
from forewarn.proof_arguments import own_past

HTTP_PORT = 8420
MQTT_PORT = 1883
VERDICTS = ("true", "false", "prevented", "missed", "unknown")
ROLES = ("customer", "technician", "dispatcher", "engineer", "admin")
TO_READ = ("file", "config", "csr", "token_file")
"""Arguments that name a file to read."""
SETS = ("cmapss", "skab", "nab", "azure", "ims", "ai4i")
WHERE_SETS = """where to get the sets:
  cmapss  NASA Prognostics Center of Excellence, "Turbofan Engine Degradation Simulation"
  skab    github.com/waico/SKAB (folders valve1, valve2, other, anomaly-free)
  nab     github.com/numenta/NAB (folders data and labels)
  azure   "Microsoft Azure Predictive Maintenance" on Kaggle (PdM_*.csv)
  ims     NASA Prognostics Center of Excellence, "Bearings" (a table: a time column, a column a bearing)
  ai4i    UCI Machine Learning Repository, "AI4I 2020 Predictive Maintenance"
Files may be plain, .xz or .gz. Exit code 0, however good the figures are."""
SERVICES = ("agent", "ingest", "anomaly", "work-orders", "api")


class Parser(argparse.ArgumentParser):
    """Reports wrong use as an exception that says what to try."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(f"{message}\n{self.format_usage().strip()}\nTry: {self.prog} --help")


def _common() -> Parser:
    common = Parser(add_help=False)
    common.add_argument("--data-dir", metavar="DIR", help="home folder (default: FOREWARN_HOME, else ./.forewarn)")
    return common


def parser() -> argparse.ArgumentParser:
    """The whole command line; a golden file holds its help."""
    top = Parser(
        prog="forewarn",
        description="Predictive maintenance that closes the loop from a vibration sample to a finished job.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use. Begin with: forewarn demo",
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    common = _common()

    def command(name: str, text: str, run: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common]
        )
        made.set_defaults(run=run)
        return made

    def group(name: str, text: str) -> Any:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        return made.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)

    def action(of: Any, name: str, text: str, run: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = of.add_parser(name, help=text, description=text + ".", parents=[common])
        made.set_defaults(run=run)
        return made

    _product(command)
    _services(command)
    _devices(command, group, action)
    _quarantine(group, action)
    _remote(group, action)
    _analysis(command, group, action)
    _proof(command)
    return top


def _listening(to: argparse.ArgumentParser) -> None:
    to.add_argument("--http-port", type=_port, default=HTTP_PORT, help="pages and API (0 = any; default %(default)s)")
    to.add_argument("--mqtt-port", type=_port, default=MQTT_PORT, help="devices (0 = any; default %(default)s)")
    to.add_argument(
        "--mqtts-port", type=_port, metavar="PORT",
        help="devices by TLS, usually 8883 (0 = any); --mqtt-port is then for this computer only (default: no TLS)",
    )  # fmt: skip
    to.add_argument(
        "--listen", type=_address, default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on (default %(default)s: this computer only; for others use --mqtts-port, too)",
    )  # fmt: skip
    to.add_argument("--fresh", action="store_true", help="set the old home folder aside and begin anew")
    to.add_argument("--seed", type=int, default=0, help="seed of all that is simulated (default %(default)s)")
    to.add_argument("--no-host", action="store_true", help="do not watch this computer")


def _product(command: Any) -> None:
    _listening(command("up", "start everything in one process", "forewarn.commands.up:up"))
    demo = command("demo", "the same, with a simulated pump service company", "forewarn.commands.up:demo")
    _listening(demo)
    demo.add_argument("--for", dest="seconds", type=_positive, metavar="SECONDS", help="end by itself after so long")
    demo.add_argument("--autopilot", action="store_true", help="play customer, technician and dispatcher, too")
    demo.add_argument("--json", type=_new_file, metavar="FILE", help="write what happened")
    demo.add_argument("--no-browser", action="store_true", help=argparse.SUPPRESS)


def _services(command: Any) -> None:
    run = command("run", "start one service, on real servers", "forewarn.commands.run:run")
    run.add_argument("service", choices=SERVICES)
    run.add_argument("--config", type=Path, metavar="FILE", help="the agent's drivers (agent.toml)")
    run.add_argument(
        "--listen", type=_address, default="127.0.0.1", metavar="ADDRESS", help="api: address (default %(default)s)"
    )
    run.add_argument("--http-port", type=_port, default=HTTP_PORT, help="api: port (default %(default)s)")
    command("migrate", "bring the database's tables up to date", "forewarn.commands.run:migrate")
    status = command("status", "what runs, and how it is", "forewarn.commands.status:status")
    status.add_argument("--json", action="store_true", help="machine-readable")
    command("doctor", "check folders, settings and servers, and say what to do", "forewarn.commands.status:doctor")


def _devices(command: Any, group: Any, action: Any) -> None:
    link = command("link", "a one-time sign-in link", "forewarn.commands.people:link")
    link.add_argument("role", choices=ROLES)
    link.add_argument("--tenant", default="local")
    link.add_argument("--subject", metavar="ID", help="which customer or technician (default: who is next)")
    token = action(group("token", "API keys"), "create", "make an API key; it is shown once",
                   "forewarn.commands.people:token")  # fmt: skip
    token.add_argument("--role", choices=ROLES, required=True)
    token.add_argument("--tenant", default="local")
    token.add_argument("--subject", metavar="ID", help="which customer or technician the key stands for")
    devices = group("device", "register, claim, certify, suspend and revoke devices")
    add = action(devices, "add", "register a device; its secret is shown once", "forewarn.commands.devices:add")
    add.add_argument("name")
    add.add_argument("--model", required=True, metavar="M", help="asset model, such as centrifugal-pump")
    listed = action(devices, "list", "list the devices", "forewarn.commands.devices:list_")
    revoke = action(devices, "revoke", "let a device in no more", "forewarn.commands.devices:revoke")
    revoke.add_argument("name")
    for sub in (add, revoke, *_identity(devices, action), _foreign(devices, action)):
        sub.add_argument("--tenant", default="local")
        sub.add_argument("--json", action="store_true", help="machine-readable")
    listed.add_argument("--tenant", help="only of this one (default: of all)")
    listed.add_argument("--json", action="store_true", help="machine-readable")
    imported = command("import", "load a machine's history from a CSV file", "forewarn.commands.devices:import_")
    imported.add_argument("file", type=Path, metavar="FILE.csv[.xz|.gz]")
    imported.add_argument("--device", required=True, metavar="D")
    imported.add_argument("--tenant", default="local")
    imported.add_argument("--time", metavar="COLUMN", help="column of the time (default: found by its name)")
    ledger = command("ledger", "what became of every sample of a device", "forewarn.commands.ledger:ledger")
    ledger.add_argument("device")
    ledger.add_argument("--signals", action="store_true", help="by signal and day, too: expected, stored, refused")
    ledger.add_argument("--days", type=_count, default=7, metavar="N", help="the newest N days (default %(default)s)")
    ledger.add_argument("--tenant", default="local")
    ledger.add_argument("--json", action="store_true", help="machine-readable")


def _identity(devices: Any, action: Any) -> list[argparse.ArgumentParser]:
    where = "forewarn.commands.device_identity"
    suspend = action(devices, "suspend", "let a device in no more until it is resumed", f"{where}:suspend")
    resume = action(devices, "resume", "let a suspended device in again", f"{where}:resume")
    rows = action(devices, "import", "register the devices of a CSV file, all or none", f"{where}:import_")
    rows.add_argument("file", type=Path, metavar="FILE.csv", help="columns: name,model and, if wanted, username")
    rows.add_argument(
        "--secrets", type=Path, metavar="OUT.csv", help="where the secrets go (default: FILE.secrets.csv)"
    )
    code = action(devices, "claim-code", "make a one-time code by which a device fetches its secret", f"{where}:code")
    code.add_argument("--minutes", type=_positive, default=60.0, metavar="N", help="good for so long (default 60)")
    code.add_argument("--qr", action="store_true", help="draw it for a camera, too")
    code.add_argument("--svg", type=Path, metavar="FILE.svg", help="draw it into a file")
    issue = action(devices, "certificate", "issue a device's certificate (X.509); its key is written once",
                   f"{where}:certificate")  # fmt: skip
    issue.add_argument("--csr", type=Path, metavar="FILE", help="sign this request (PKCS #10) instead of making a key")
    issue.add_argument("--out", type=Path, metavar="DIR", help="where the files go (default: NAME-certificate)")
    issue.add_argument("--days", type=_count, default=365, metavar="N", help="good for so long (default 365)")
    issue.add_argument("--void-others", action="store_true", help="revoke the device's earlier ones")
    issue.add_argument("--revoke", metavar="SERIAL", help="issue none; revoke the one of this number (all = all)")
    listed = action(devices, "certificates", "list certificates with the days that are left", f"{where}:certificates")
    for sub in (suspend, resume, code, issue):
        sub.add_argument("name")
    return [suspend, resume, rows, code, issue, listed]


def _foreign(devices: Any, action: Any) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = action(
        devices, "foreign", "say who a device is in Sparkplug, ThingsBoard or Influx lines; without NAME, list them",
        "forewarn.commands.device_foreign:foreign",
    )  # fmt: skip
    made.add_argument("name", nargs="?", metavar="NAME")
    who = made.add_mutually_exclusive_group()
    who.add_argument("--sparkplug", metavar="GROUP/NODE", help="it is this edge node")
    who.add_argument("--thingsboard", action="store_true", help="it signs in by an access token, which is shown once")
    who.add_argument("--influx", action="store_true", help="it writes Influx line protocol on `influx` and below")
    who.add_argument("--behind", metavar="GATEWAY", help="the connection of this device speaks for it")
    who.add_argument("--forget", action="store_true", help="it is nobody there any more")
    made.add_argument("--token-file", type=Path, metavar="FILE", help="with --thingsboard: the token that it has")
    made.add_argument("--as", dest="alias", metavar="NAME", help="with --behind: its name there (default: NAME)")
    made.add_argument("--signal", action="append", default=[], metavar="THERE=SIGNAL", help="what a name there means"
                      " here; THERE= leaves it out, '*=' leaves out all others; may be repeated")  # fmt: skip
    return made


def _quarantine(group: Any, action: Any) -> None:
    of = "forewarn.commands.quarantine:"
    quarantine = group("quarantine", "what was not accepted: look at it, mend it, replay it")
    listed = action(quarantine, "list", "messages in quarantine, newest first", f"{of}list_")
    listed.add_argument("--state", choices=("kept", "replayed", "expired"), help="only these")
    listed.add_argument("--before", type=_count, metavar="ID", help="only older ones")
    listed.add_argument("--limit", type=_count, default=50, metavar="N")
    show = action(quarantine, "show", "one message with all that was refused of it", f"{of}show")
    show.add_argument("id", type=_count, metavar="ID")
    replay = action(quarantine, "replay", "judge messages once more, mended by rules", f"{of}replay")
    replay.add_argument("--model", metavar="M", help="the rules are for all devices of this asset model")
    for name, to, text in (
        ("signal", "SIGNAL", "rule: this name means that signal; SENT= leaves it out"),
        ("unit", "CODE", "rule: the values of this name are in that unit, a UCUM code"),
        ("factor", "F[,OFFSET]", "rule: values of this name times F, plus OFFSET"),
    ):
        replay.add_argument(f"--{name}", action="append", default=[], metavar=f"SENT={to}", help=text)
    replay.add_argument("--from-now-on", action="store_true", help="the rules mend what comes from now on, too")
    expire = action(quarantine, "expire", "give messages up; they stay counted", f"{of}expire_")
    expire.add_argument("--older", type=_positive, metavar="DAYS", help="those received longer ago")
    rules = action(quarantine, "rules", "the rules that are kept", f"{of}rules")
    drop = action(quarantine, "drop", "let a rule go; what it mended stays", f"{of}drop")
    drop.add_argument("kind", choices=("signal", "unit", "factor"))
    drop.add_argument("name", help="as it is sent")
    drop.add_argument("--model", metavar="M", help="of this asset model")
    for sub in (replay, expire):
        sub.add_argument("id", type=_count, nargs="*", metavar="ID", help="these (default: all that fit the options)")
    for sub in (listed, replay, expire, drop):
        sub.add_argument("--device", metavar="D", help="of this device")
    for sub in (listed, replay):
        sub.add_argument("--reason", metavar="R", help="refused for this reason, such as unknown_signal")
    for sub in (listed, show, replay, expire, rules, drop):
        sub.add_argument("--tenant", default="local")
        sub.add_argument("--json", action="store_true", help="machine-readable")


def _remote(group: Any, action: Any) -> None:
    of = "forewarn.commands.remote:"
    commands = group("command", "commands to devices")
    send = action(commands, "send", "send a command to a device", f"{of}send")
    send.add_argument("device")
    send.add_argument("name", help="as its asset model declares it, such as snapshot")
    send.add_argument("args", nargs="*", metavar="NAME=VALUE", help="arguments; a list is [a,b]")
    send.add_argument("--lifetime", type=_positive, metavar="SECONDS", help="it never begins later (default by risk)")
    send.add_argument("--why", default="", help="for the record")
    send.add_argument("--wait", action="store_true", help="until it has ended")
    listed = action(commands, "list", "commands, newest first", f"{of}list_")
    listed.add_argument("--device", metavar="D")
    listed.add_argument("--state", metavar="S", help="such as waiting_approval")
    listed.add_argument("--limit", type=_count, default=50, metavar="N")
    show = action(commands, "show", "one command with its result", f"{of}show")
    approve = action(commands, "approve", "approve a guarded command of somebody else", f"{of}approve")
    cancel = action(commands, "cancel", "take a command back that was not granted yet", f"{of}cancel")
    guarded = action(commands, "guarded", "switch guarded commands of a device on or off", f"{of}guarded")
    guarded.add_argument("device")
    guarded.add_argument("switch", choices=("on", "off"))
    for sub in (show, approve, cancel):
        sub.add_argument("id")
    for sub in (send, listed, show, approve, cancel, guarded):
        sub.add_argument(
            "--key-file", type=Path, metavar="FILE", help="act as whom this API key is of (or FOREWARN_API_KEY)"
        )
        sub.add_argument("--tenant", default="local")
        sub.add_argument("--json", action="store_true", help="machine-readable")
    action(commands, "key", "the platform's public key, for an agent's file", f"{of}key")
    enable = action(commands, "enable", "at the machine: enable guarded commands for 15 minutes", f"{of}enable")
    enable.add_argument("--config", type=Path, required=True, metavar="FILE", help="the agent's agent.toml")
    enable.add_argument("--by", default="", metavar="NAME", help="who stands there")
    enable.add_argument("--off", action="store_true", help="take it back")


def _analysis(command: Any, group: Any, action: Any) -> None:
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
        "--out", type=_new_file, metavar="scores.csv", help="a row per input row: score, threshold, alarm"
    )
    detect.add_argument("--plot", type=_new_file, metavar="out.html", help="a page to look at")
    detect.add_argument("--json", type=_new_file, metavar="out.json", help="the alarms, machine-readable")
    cmapss = action(group("replay", "send recorded machines down the live road"), "cmapss",
                    "replay turbofan engines run to failure", "forewarn.commands.replay:cmapss")  # fmt: skip
    cmapss.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with train_FD001.txt[.xz|.gz]")
    cmapss.add_argument("--subset", default="FD001", metavar="FD001")
    some = cmapss.add_mutually_exclusive_group()
    some.add_argument("--engines", type=_count, metavar="N", help="the first N engines (default: all)")
    some.add_argument("--units", metavar="3,17", help="these engines")
    cmapss.add_argument(
        "--speed", type=_speed, default=0.0, metavar="CYCLES_PER_SECOND",
        help="0 = as fast as stored (default)",
    )  # fmt: skip
    cmapss.add_argument("--cycle-hours", type=_positive, default=1.0, metavar="H", help="hours a cycle (default 1)")
    cmapss.add_argument("--json", type=_new_file, metavar="FILE")
    cmapss.add_argument("--url", help="a running product (default: a temporary one of its own)")
    cmapss.add_argument("--token", help="its API key (role admin)")
    verify = action(group("audit", "the audit chain"), "verify", "find any changed, removed or reordered entry",
                    "forewarn.commands.status:audit")  # fmt: skip
    verify.add_argument("--json", action="store_true", help="machine-readable")


def _proof(command: Any) -> None:
    evaluate = command("evaluate", "score a public data set by the live code", "forewarn.commands.evaluate:evaluate")
    evaluate.formatter_class = argparse.RawDescriptionHelpFormatter
    evaluate.epilog = WHERE_SETS
    evaluate.add_argument("set", choices=SETS, metavar="SET", help="one of " + ", ".join(SETS))
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the set")
    evaluate.add_argument(
        "--subset", metavar="NAME", help="a part of the set, such as FD001 or valve2 (default: all; cmapss: the first)"
    )
    evaluate.add_argument("--train", metavar="NAME", help="part that is not scored because choices were fixed on it")
    evaluate.add_argument("--seeds", type=_count, default=3, metavar="N", help="seeds 0 to N-1 (default %(default)s)")
    evaluate.add_argument(
        "--perturb", choices=("all",),
        help="repeat it on worse data: shifted, with gaps, doubled, stuck, other units, a channel less",
    )  # fmt: skip
    evaluate.add_argument("--json", type=_new_file, metavar="FILE", help="all figures, machine-readable")
    evaluate.add_argument("--html", type=_new_file, metavar="FILE", help="a page to look at, with plots")
    own_past(command, _positive, _new_file)


def _learning(command: Any, group: Any, action: Any) -> None:
    labels = command("labels", "what findings say about readings: the labels that models learn from",
                     "forewarn.commands.labels:labels")  # fmt: skip
    labels.add_argument("--device", metavar="D", help="of this device")
    labels.add_argument("--verdict", choices=VERDICTS, help="only these")
    labels.add_argument("--corrected", action="store_true", help="with those that a later finding corrected")
    labels.add_argument("--limit", type=_count, default=100, metavar="N", help="so many (default %(default)s)")
    labels.add_argument("--tenant", default="local")
    labels.add_argument("--json", action="store_true", help="machine-readable")
    of = "forewarn.commands.learned:"
    train = command("train", "learn remaining life from stored readings and labels", f"{of}train")
    train.add_argument("model", metavar="MODEL", help="asset model, such as centrifugal-pump")
    train.add_argument("--seed", type=int, default=0, help="where nothing runs on this home (default %(default)s)")
    learned = group("learned", "learned models: on trial beside the live one, promoted when better, rolled back")
    listed = action(learned, "list", "learned models, newest first", f"{of}list_")
    listed.add_argument("--model", metavar="MODEL", help="of this asset model")
    show = action(learned, "show", "one with all that became of it; exit 1 where its files were altered", f"{of}show")
    card = action(learned, "card", "write its card, a page that stands alone", f"{of}card")
    card.add_argument("--out", type=_new_file, required=True, metavar="FILE.html")
    promote = action(learned, "promote", "make a shadow live, if it was better on what happened since", f"{of}promote")
    rollback = action(learned, "rollback", "the live one goes, the one before it comes back", f"{of}rollback")
    rollback.add_argument("model", metavar="MODEL", help="asset model")
    for sub in (show, card, promote):
        sub.add_argument("id", metavar="ID", help="such as centrifugal-pump-2")
    for sub in (train, listed, show, promote, rollback):
        sub.add_argument("--json", action="store_true", help="machine-readable")
    for sub in (train, listed, show, card, promote, rollback):
        sub.add_argument("--tenant", default="local")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} must be a port, 0 to 65535")
    return int(text)


def _address(text: str) -> str:
    """An address that this computer has: known before anything else begins."""
    import socket

    try:
        with socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET) as probe:
            probe.bind((text, 0))
    except OSError as failure:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be an address of this computer, such as 127.0.0.1 or 0.0.0.0 ({failure.strerror})"
        ) from failure
    return text


def check_files(given: argparse.Namespace) -> None:
    """Files to read are there. One that is not is wrong use; one whose content is no good fails where it is read.

    Raises WrongUse.
    """
    for name in TO_READ:
        path: Path | None = getattr(given, name, None)
        if path is not None and (path.is_dir() or not os.access(path, os.R_OK)):
            raise WrongUse(f"{name.replace('_', '-')}: {str(path)!r} is no file that can be read")


def _new_file(text: str) -> Path:
    """A file that can be written: known before the work begins, not after it."""
    path = Path(text)
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} must be a file in a folder that can be written")
    return path


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= 0 or value == float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number, 0 or more")
    return value


def _speed(text: str) -> float:
    return _number(text)


def _positive(text: str) -> float:
    if (value := _number(text)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be above 0")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)
