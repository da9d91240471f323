"""The page of a proof: files in, columns shown and corrected, a page that stands alone out, and the installation."""

import tomllib

import numpy as np
import pytest

from api.shield import MAX_PROOF_BYTES
from contracts.asset_model_text import parse
from tests.api.company import Company

BEGIN = np.datetime64("2024-01-01T00:00:00")
MEANS = {
    "time": "time", "asset": "machine", "column": ["vibration", "temperature"], "name": ["shaking", "temperature"],
    "unit": ["mm/s", "Cel"], "role": ["symptom", "symptom"], "cost_failure": "9000",
    "failures": ["time", "machine", "", ""], "events": ["time", "machine", "code"],
}  # fmt: skip


def telemetry() -> str:
    at = np.arange(0, 60 * 24, 3)
    chance = np.random.default_rng(0)
    shaking = 2 + chance.normal(0, 0.1, len(at)) + 3 * np.clip((at - 24 * 40) / 120, 0, 1) * (at < 24 * 45)
    stamps = BEGIN + at.astype("timedelta64[h]")
    warmth = 50 + chance.normal(size=len(at))
    rows = [f"{t},pump-1,{v:.3f},{w:.2f}" for t, v, w in zip(stamps, shaking, warmth, strict=True)]
    return "time,machine,vibration,temperature\n" + "\n".join(rows) + "\n"


def files(failures: str) -> dict[str, tuple[str, str, str]]:
    events = "time,machine,code\n2024-02-13,pump-1,E7\n"
    return {
        "telemetry": ("a.csv", telemetry(), "text/csv"), "failures": ("f.csv", failures, "text/csv"),
        "events": ("e.csv", events, "text/csv"),
    }  # fmt: skip


def test_an_engineer_corrects_the_columns_and_gets_the_page_and_the_installation(company: Company) -> None:
    eva = company.browser("engineer")
    assert "What would Forewarn have done?" in eva.get("/prove").text
    seen = eva.post("/prove", files=files("time,machine\n2024-02-15,pump-1\n"), follow_redirects=True)
    assert seen.status_code == 200
    for there in ('value="vibration"', "mm/s", "1 failure,", "1 error or warning", "2.013"):
        assert there in seen.text
    here = seen.url.path
    bad = eva.post(here, data={**MEANS, "unit": ["furlong", "Cel"]})
    assert (bad.status_code, "furlong" in bad.text) == (422, True)
    done = eva.post(here, data=MEANS, follow_redirects=True)
    assert "1 failure proves nothing; here is what they show." in done.text
    page = eva.get(f"{here}/page")
    assert "1 of 1 failure would have been announced" in page.text
    assert "sandbox" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    model = parse(eva.get(f"{here}/model").text, "model")
    assert set(model.signals) == {"shaking", "temperature"}
    [driver] = tomllib.loads(eva.get(f"{here}/agent").text)["drivers"].values()
    assert driver["columns"] == "vibration = shaking; temperature"
    assert driver["machine"] == "pump-1"
    assert company.browser("admin").get(here).status_code == 404
    assert eva.post(f"{here}/drop", follow_redirects=False).status_code == 303
    assert eva.get(f"{here}/page").status_code == 404


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ("time,what\n2024-02-15,pump-1\n", "failures.csv:1: no column is named like a machine"),
        ("time,machine\n2024-02-15\n", "failures.csv:2: has 1 cells, the header 2"),
    ],
)
def test_a_fault_is_told_on_the_form(company: Company, failures: str, said: str) -> None:
    answer = company.browser("engineer").post("/prove", files=files(failures))
    assert answer.status_code == 422
    assert said in answer.text
    assert "forewarn-proof-" not in answer.text


def test_costs_that_never_pay_are_refused(company: Company) -> None:
    answer = company.browser("engineer").post("/prove", files=files("time\n"), data={"cost_planned": "10"})
    assert answer.status_code == 422
    assert "must be more than a planned visit" in answer.text


def test_only_engineers_prove_and_not_with_too_much(company: Company) -> None:
    assert company.browser("customer").get("/prove").status_code == 403
    assert company.browser("dispatcher").post("/prove", files=files("time\n")).status_code == 403
    headers = {"content-length": str(MAX_PROOF_BYTES + 1), "content-type": "multipart/form-data; boundary=x"}
    assert company.browser("engineer").post("/prove", content=b"x", headers=headers).status_code == 413
