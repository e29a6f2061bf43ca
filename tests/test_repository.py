"""What the repository promises about itself."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
APPS = ["marketplace", "clusters", "training", "billing", "governance"]


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_the_readme_draws_the_line_that_the_linter_holds():
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    assert " → ".join(layers) in README


def test_the_readme_lists_every_package_and_every_setting():
    for package in [*APPS, "config", "kernels"]:
        assert f"[{package}/]" in README
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', settings))
    missing = {name for name in read if f"`{name}`" not in README}
    assert not missing


def test_the_readme_links_to_files_that_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not missing


def test_every_target_of_the_makefile_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("setup", "run", "test", "check", "bench", "fix", "lock", "help"):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target


def test_nothing_is_offered_to_be_told_that_nothing_tells():
    listed = ROOT / "governance" / "models" / "notices.py"
    files = [path for path in tracked(*(f"{app}/*.py" for app in APPS)) if path != listed]
    code = "\n".join(path.read_text() for path in files)
    for name in re.findall(r'^    ([A-Z_]+) = "\w+\.\w+"', listed.read_text(), re.MULTILINE):
        assert f"NoticeType.{name}" in code, name


def test_measuring_leaves_no_invented_listings_behind():
    bench = (ROOT / "Makefile").read_text().partition("\nbench:")[2].partition("\n\n")[0]
    assert "seed_catalogue --rows" in bench
    assert bench.splitlines()[-1].endswith("seed_catalogue --drop")


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_locks_carry_hashes_and_no_address(lock):
    text = (ROOT / "config" / "locks" / f"{lock}.txt").read_text()
    pins = re.findall(r"^[\w\[\]-]+==", text, re.MULTILINE)
    assert len(pins) > 50
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_nothing_built_is_tracked():
    built = tracked("*.wasm", "*.so", "*.o", "*.pyc", "*.whl", "*.sqlite3", "*.min.js", "*.map")
    assert built == []


def test_no_file_knows_a_machine_or_an_index():
    telling = re.compile(r"(index-url|extra-index)[ =:]+\S*://|(?<![\w./-])/(root|home)/\w")
    found = [
        path.relative_to(ROOT)
        for path in tracked("*.py", "*.toml", "*.txt", "*.md", "*.html", "*.js", "Makefile")
        if telling.search(path.read_text()) and path != Path(__file__)
    ]
    assert found == []


def test_every_module_opens_by_saying_what_it_is():
    silent = [
        path.relative_to(ROOT)
        for path in tracked("*.py")
        if path.read_text().strip()
        and "migrations" not in path.parts
        and not re.match(r'(#!.*\n)?"""\S', path.read_text())
    ]
    assert silent == []


def test_every_dependency_says_why_it_is_there():
    section = (ROOT / "pyproject.toml").read_text().partition("[build-system]")[0]
    lines = re.findall(r'^    "[^"]+",.*$', section, re.MULTILINE)
    assert len(lines) > 30
    unexplained = [line for line in lines if "#" not in line]
    assert unexplained == []
