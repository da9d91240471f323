"""Every relative link and every command in the documents leads somewhere."""

import re
from pathlib import Path

import pytest

from forewarn.arguments import parser
from forewarn.environment import WrongUse

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
COMMAND = re.compile(r"^(?:\$ |    )?(?:\.venv/bin/)?forewarn ([a-z][^\n#|>&]*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not missing


def test_every_command_in_the_readme_is_understood() -> None:
    commands = COMMAND.findall((ROOT / "README.md").read_text())
    assert commands
    for command in commands:
        try:
            parser().parse_args(command.split())
        except WrongUse as wrong:
            pytest.fail(f"forewarn {command}: {wrong}")
