"""The page of a proof: files in, a page that stands alone out; faults are told; only engineers, and not too much."""

import numpy as np
import pytest

from api.shield import MAX_PROOF_BYTES
from tests.api.company import Company

BEGIN = np.datetime64("2024-01-01T00:00:00")


def telemetry() -> str:
    at = np.arange(0, 60 * 24, 3)
    chance = np.random.default_rng(0)
    shaking = 2 + chance.normal(0, 0.1, len(at)) + 3 * np.clip((at - 24 * 40) / 120, 0, 1) * (at < 24 * 45)
    stamps = BEGIN + at.astype("timedelta64[h]")
    warmth = 50 + chance.normal(size=len(at))
    rows = [f"{t},pump-1,{v:.3f},{w:.2f}" for t, v, w in zip(stamps, shaking, warmth, strict=True)]
    return "time,machine,vibration,temperature\n" + "\n".join(rows) + "\n"


def files(failures: str) -> dict[str, tuple[str, str, str]]:
    return {"telemetry": ("a.csv", telemetry(), "text/csv"), "failures": ("f.csv", failures, "text/csv")}


def test_an_engineer_gets_the_page_for_the_boss(company: Company) -> None:
    eva = company.browser("engineer")
    assert "What would Forewarn have done?" in eva.get("/prove").text
    answer = eva.post("/prove", files=files("time,machine\n2024-02-15,pump-1\n"), data={"cost_failure": "9000"})
    assert answer.status_code == 200
    assert "1 failure proves nothing; here is what they show." in answer.text
    assert "1 of 1 failure would have been announced" in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ("time,machine\n2024-02-45,pump-1\n",
         "failures.csv:2: column &#39;time&#39;: &#39;2024-02-45&#39; must be a time"),
        ("time,what\n2024-02-15,pump-1\n", "failures.csv:1: no column is named like a machine"),
    ],
)  # fmt: skip
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
