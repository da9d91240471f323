"""The words of the device link: devices, keys, history, quarantine, commands."""

import argparse
from pathlib import Path
from typing import Any

from forewarn.argument_types import count, positive

ROLES = ("customer", "technician", "dispatcher", "engineer", "admin")


def add_devices(command: Any, group: Any, action: Any) -> None:
    """Add the commands."""
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
    ledger.add_argument("--days", type=count, default=7, metavar="N", help="the newest N days (default %(default)s)")
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
    code.add_argument("--minutes", type=positive, default=60.0, metavar="N", help="good for so long (default 60)")
    code.add_argument("--qr", action="store_true", help="draw it for a camera, too")
    code.add_argument("--svg", type=Path, metavar="FILE.svg", help="draw it into a file")
    issue = action(devices, "certificate", "issue a device's certificate (X.509); its key is written once",
                   f"{where}:certificate")  # fmt: skip
    issue.add_argument("--csr", type=Path, metavar="FILE", help="sign this request (PKCS #10) instead of making a key")
    issue.add_argument("--out", type=Path, metavar="DIR", help="where the files go (default: NAME-certificate)")
    issue.add_argument("--days", type=count, default=365, metavar="N", help="good for so long (default 365)")
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


def add_quarantine(group: Any, action: Any) -> None:
    """Add the commands."""
    of = "forewarn.commands.quarantine:"
    quarantine = group("quarantine", "what was not accepted: look at it, mend it, replay it")
    listed = action(quarantine, "list", "messages in quarantine, newest first", f"{of}list_")
    listed.add_argument("--state", choices=("kept", "replayed", "expired"), help="only these")
    listed.add_argument("--before", type=count, metavar="ID", help="only older ones")
    listed.add_argument("--limit", type=count, default=50, metavar="N")
    show = action(quarantine, "show", "one message with all that was refused of it", f"{of}show")
    show.add_argument("id", type=count, metavar="ID")
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
    expire.add_argument("--older", type=positive, metavar="DAYS", help="those received longer ago")
    rules = action(quarantine, "rules", "the rules that are kept", f"{of}rules")
    drop = action(quarantine, "drop", "let a rule go; what it mended stays", f"{of}drop")
    drop.add_argument("kind", choices=("signal", "unit", "factor"))
    drop.add_argument("name", help="as it is sent")
    drop.add_argument("--model", metavar="M", help="of this asset model")
    for sub in (replay, expire):
        sub.add_argument("id", type=count, nargs="*", metavar="ID", help="these (default: all that fit the options)")
    for sub in (listed, replay, expire, drop):
        sub.add_argument("--device", metavar="D", help="of this device")
    for sub in (listed, replay):
        sub.add_argument("--reason", metavar="R", help="refused for this reason, such as unknown_signal")
    for sub in (listed, show, replay, expire, rules, drop):
        sub.add_argument("--tenant", default="local")
        sub.add_argument("--json", action="store_true", help="machine-readable")


def add_remote(group: Any, action: Any) -> None:
    """Add the commands."""
    of = "forewarn.commands.remote:"
    commands = group("command", "commands to devices")
    send = action(commands, "send", "send a command to a device", f"{of}send")
    send.add_argument("device")
    send.add_argument("name", help="as its asset model declares it, such as snapshot")
    send.add_argument("args", nargs="*", metavar="NAME=VALUE", help="arguments; a list is [a,b]")
    send.add_argument("--lifetime", type=positive, metavar="SECONDS", help="it never begins later (default by risk)")
    send.add_argument("--why", default="", help="for the record")
    send.add_argument("--wait", action="store_true", help="until it has ended")
    listed = action(commands, "list", "commands, newest first", f"{of}list_")
    listed.add_argument("--device", metavar="D")
    listed.add_argument("--state", metavar="S", help="such as waiting_approval")
    listed.add_argument("--limit", type=count, default=50, metavar="N")
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
