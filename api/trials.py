"""Files of proofs on somebody's own past while he looks at them: for an hour, in folders of their own, few at once."""

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from anomaly.evaluation.own_mapping import Mapping as Columns
from anomaly.evaluation.own_mapping import as_yaml, read_mapping
from anomaly.evaluation.proof_names import ASKED, FIGURES, MAPPING, PREVIEW, RUN
from api.roles import Principal

KEPT = timedelta(hours=1)
MOST = 4
"""Trials at once; the oldest is thrown away for a new one."""
LONGEST_S = 600
BUSY = "Another proof is being worked out. Try again in a few minutes."


@dataclass(frozen=True)
class Trial:
    """One person's files."""

    id: str
    owner: tuple[str, str]
    began_at: datetime
    kept: TemporaryDirectory[str]

    @property
    def folder(self) -> Path:
        """Where they are."""
        return Path(self.kept.name)

    @property
    def mapping(self) -> Columns:
        """What the columns mean."""
        return read_mapping(self.folder / MAPPING)

    def correct(self, mapping: Columns) -> None:
        """The columns mean something else."""
        (self.folder / MAPPING).write_text(as_yaml(mapping), encoding="utf-8")

    @property
    def preview(self) -> dict[str, object]:
        """What is in the files."""
        return self._json(PREVIEW)

    @property
    def asked(self) -> dict[str, object]:
        """Name, prices and days."""
        return self._json(ASKED)

    def ask(self, asked: Mapping[str, object]) -> None:
        """Keep what was asked."""
        (self.folder / ASKED).write_text(json.dumps(asked), encoding="utf-8")

    @property
    def answer(self) -> str:
        """The sentence for a boss; empty = not worked out yet."""
        if not (self.folder / FIGURES).exists():
            return ""
        return str(json.loads((self.folder / FIGURES).read_text("utf-8"))["config"]["answer"])

    def _json(self, name: str) -> dict[str, object]:
        found = json.loads((self.folder / name).read_text("utf-8"))
        assert isinstance(found, dict)
        return found


class Trials:
    """All of them; thread-safe. One at a time is worked out, in a process of its own, so that nobody waits for it."""

    def __init__(self) -> None:
        self._lock, self._working = threading.Lock(), threading.Lock()
        self._trials: dict[str, Trial] = {}

    def begin(self, who: Principal, now: datetime) -> Trial:
        """A new one, empty; the person's old one and what is too old are thrown away."""
        owner = (who.tenant, who.account)
        trial = Trial(secrets.token_urlsafe(12), owner, now, TemporaryDirectory(prefix="forewarn-proof-"))
        with self._lock:
            self._clear(now)
            kept = [t for t in self._trials.values() if t.owner != owner]
            for old in {t.id for t in self._trials.values()} - {t.id for t in kept[-(MOST - 1) :]}:
                self._trials.pop(old).kept.cleanup()
            self._trials[trial.id] = trial
        return trial

    def of(self, who: Principal, trial: str, now: datetime) -> Trial | None:
        """The person's trial of that id, if it is still kept."""
        with self._lock:
            self._clear(now)
            found = self._trials.get(trial)
        return found if found is not None and found.owner == (who.tenant, who.account) else None

    def drop(self, trial: Trial) -> None:
        """Throw it away."""
        with self._lock:
            if self._trials.pop(trial.id, None) is not None:
                trial.kept.cleanup()

    def work(self, trial: Trial, what: str) -> str:
        """Look at the files or run the proof; what is wrong, in a sentence, or nothing."""
        if not self._working.acquire(blocking=False):
            return BUSY
        try:
            if what == RUN:
                (trial.folder / FIGURES).unlink(missing_ok=True)
            done = subprocess.run(
                [sys.executable, "-m", "anomaly.evaluation.proof_job", what, str(trial.folder)], capture_output=True,
                text=True, timeout=LONGEST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "This takes too long here. Use `forewarn prove` on the command line, or give fewer readings."
        finally:
            self._working.release()
        if done.returncode == 0:
            return ""
        said = done.stderr.strip().splitlines()
        return said[-1] if said and done.returncode == 1 else "The proof could not be worked out."

    def _clear(self, now: datetime) -> None:
        for old in [t for t in self._trials.values() if now - t.began_at > KEPT]:
            self._trials.pop(old.id).kept.cleanup()
