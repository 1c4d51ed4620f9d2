"""The examples in the documentation work: marked blocks are run, in order, each document in a new directory.

A fenced block runs if its first line says ``run`` after the language (see CONTRIBUTING.md). The blocks of a
document share a directory, a database made by the document itself, and the shell's environment.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(bash|python) run(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block to run: a shell script, or a Python file that is written and, without a name, run."""

    language: str
    name: str
    text: str
    line: int


def documents() -> list[Path]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if path.exists() and blocks_of(path.read_text())]


def blocks_of(text: str) -> list[Block]:
    return [
        Block(m[1], m["name"] or "", m["text"], text.count("\n", 0, m.start()) + 1)
        for m in BLOCK.finditer(text)
    ]


def script_of(blocks: list[Block], directory: Path) -> str:
    """Write one bash script that does what the blocks say, and stops where one fails."""
    parts = ["set -e"]
    for block in blocks:
        parts.append(f"echo '-- block at line {block.line}' >&2")
        if block.language == "bash":
            parts.append(block.text)
            continue
        name = block.name or f"block_{block.line}.py"
        source = directory / ".blocks" / name
        source.parent.mkdir(exist_ok=True)
        source.write_text(block.text)
        parts.append(f"cp {shlex.quote(str(source))} {shlex.quote(name)}; chmod +x {shlex.quote(name)}")
        if not block.name:
            parts.append(f"python {shlex.quote(name)}")
    return "\n".join(parts)


def run_script(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    home = directory / "home"
    home.mkdir(exist_ok=True)
    stop = "trap '[ -z \"$BALSAM_DB_PATH\" ] || balsam server --stop >/dev/null 2>&1' EXIT\n"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BALSAM_")}
    environment |= {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", stop + script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_of_the_document_work(path: Path, tmp_path: Path):
    done = run_script(script_of(blocks_of(path.read_text()), tmp_path), tmp_path)
    assert done.returncode == 0, f"{path.name}:\n{done.stdout}\n{done.stderr}"


def test_blocks_are_found_and_run(tmp_path: Path):
    text = (
        "```bash run\necho hello >a.txt\n```\n"
        "```python run app.py\nimport sys; open('b.txt', 'w').write(sys.argv[1])\n```\n"
        "```python run\nassert open('a.txt').read() == 'hello\\n'\n```\n"
        "```bash\nexit 1\n```\n"
        "```bash run\npython app.py world\n```\n"
    )
    done = run_script(script_of(blocks_of(text), tmp_path), tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.txt").read_text() == "world"


def test_failing_block_is_told_by_its_line(tmp_path: Path):
    done = run_script(
        script_of(blocks_of("```bash run\ntrue\n```\n```bash run\nfalse\n```\n"), tmp_path), tmp_path
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == "-- block at line 4"
