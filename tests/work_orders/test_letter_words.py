"""Words of the asset model in the customer's language, where the model has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
import yaml

from contracts.asset_model import ModeWords
from contracts.asset_model_text import BadAssetModel, parse
from tests.work_orders.world import PUMP, SUNDAY, World
from work_orders.domain.letter import Record, forecast_letter
from work_orders.domain.money import Costs
from work_orders.domain.notice_text import NoticeText, write

PUMP_FILE = Path(__file__).parents[2] / "asset_models" / "centrifugal-pump.yaml"
ZH = {"zh": ModeWords("轴承磨损", "更换两个轴承", "水泵停机。")}


@pytest.mark.parametrize("known", [True, False])
def test_a_letter_takes_the_models_words_and_english_where_there_are_none(world: World, known: bool) -> None:
    mode = PUMP.mode("bearing_wear")
    assert mode is not None
    made = write(world.forecast(), PUMP, replace(mode, words=ZH if known else {}), Costs.of(PUMP, mode), "Pump 1", 120)
    kept = msgspec.json.decode(msgspec.json.encode(made), type=NoticeText)
    letter = forecast_letter(
        kept, "zh", asset="Pump 1", slots=[], latest=SUNDAY + timedelta(days=3), zone=ZoneInfo("UTC"),
        record=Record(0, 0, 0, 0), now=SUNDAY,
    )  # fmt: skip
    said = " ".join((letter.title, letter.propose, letter.may_happen))
    for words in (ZH["zh"].title, ZH["zh"].remedy, ZH["zh"].consequence):
        assert (words in said) is known
    assert ("Replace both bearings" in said) is not known


def test_the_pump_speaks_chinese() -> None:
    model = parse(PUMP_FILE.read_text(), "pump.yaml")
    modes = [mode for component in model.components.values() for mode in component.modes]
    assert len(modes) == 5
    assert all(mode.words["zh"].title and mode.words["zh"].remedy and mode.words["zh"].consequence for mode in modes)


def test_words_that_are_not_whole_are_named() -> None:
    of = yaml.safe_load(PUMP_FILE.read_text())
    wrong = {"Chinese": {}, "zh": {"title": "x"}, "fr": {"title": "x", "remedy": "y", "consequence": "z", "more": "w"}}
    of["components"]["bearing"]["failure_modes"]["bearing_wear"]["words"] = wrong
    with pytest.raises(BadAssetModel) as bad:
        parse(yaml.safe_dump(of, allow_unicode=True), "pump.yaml")
    for said in ("must be the code of a language", "words.zh.remedy", "words.fr.more"):
        assert said in str(bad.value)
