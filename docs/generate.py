"""Write what in the documentation is made by the software itself: docs/cli.md, README's outputs.

    python docs/generate.py           rewrites docs/cli.md and the outputs shown in README.md
    python docs/generate.py --cli     rewrites docs/cli.md only (a second)

tests/test_readme.py and tests/test_cli_docs.py fail when either is stale.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CLI_PAGE = ROOT / "docs" / "cli.md"

# Commands of the README that are not run, with the reason.
NOT_RUN = {
    "make ": "installs packages and runs everything, this test included",
    "pip install": "would change the environment that the tests run in",
    "--model intfloat/e5-small-v2": "downloads a model from the hub",
    "evalkit synthesize all": "trains two classifiers, which takes minutes",
    "evalkit annotate": "serves pages until it is stopped",
}

_WIDTH: dict[str, Any] = {"terminal_width": 80, "max_content_width": 80}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block of a Markdown text.

    Attributes:
        language: the word after the fence.
        text: what stands between the fences.
        line: 1-based line of its first line.
        start: where the text starts in the Markdown.
        shows: the block after it is its output.
    """

    language: str
    text: str
    line: int
    start: int
    shows: Block | None = None


def blocks(markdown: str) -> list[Block]:
    """Find the fenced blocks; a `text` block right after a `bash` block is its output."""
    found: list[Block] = []
    matches = list(_BLOCK.finditer(markdown))
    for place, match in enumerate(matches):
        line = markdown.count("\n", 0, match.start(2)) + 1
        shows = None
        if match[1] == "bash" and place + 1 < len(matches):
            after = matches[place + 1]
            if after[1] == "text" and not markdown[match.end() : after.start()].strip():
                shows = Block("text", after[2], line, after.start(2))
        found.append(Block(match[1], match[2], line, match.start(2), shows))
    return found


def commands(block: Block) -> Iterator[str]:
    """The commands of a block that are run, each with its continuation lines."""
    for command in re.split(r"(?<!\\)\n", block.text):
        if command.strip() and not any(words in command for words in NOT_RUN):
            yield command


def run(block: Block, folder: Path) -> str:
    """Run a `bash` block in a folder and return what it printed on standard output.

    Raises:
        RuntimeError: a command failed.
    """
    printed = ""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    environment.setdefault("EVALKIT_CACHE", str(folder / "cache"))  # not the user's own
    for command in commands(block):
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            cwd=folder,
            env={**environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"README.md, block at line {block.line}: {command}\nended with exit code "
                f"{done.returncode}:\n{done.stderr}"
            )
        printed += done.stdout
    return printed


def prepare(folder: Path) -> None:
    """Put a copy of the sample data and its experiment where the README's commands expect it."""
    (folder / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "sample.yaml", folder / "experiments" / "sample.yaml")
    (folder / "sample_data").mkdir()
    for name in ("products.jsonl", "queries.csv", "judgments.csv", "simulate.py"):
        shutil.copy(ROOT / "sample_data" / name, folder / "sample_data" / name)


def readme_with_outputs(markdown: str) -> str:
    """Return the README with the outputs that its commands print now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        outputs = [
            (block.shows, run(block, folder))
            for block in blocks(markdown)
            if block.language == "bash"
        ]
    for shown, printed in reversed(outputs):
        if shown is not None:
            end = shown.start + len(shown.text)
            markdown = markdown[: shown.start] + printed + markdown[end:]
    return markdown


def cli_page() -> str:
    """Return docs/cli.md: the help of every command, as the commands print it."""
    from evalkit.cli import cli

    parts = [
        "# Commands\n",
        "Written by `docs/generate.py` from the commands' own help. Exit codes: 0 done, 2 bad input"
        "\nor bad settings, 130 interrupted, 1 an internal error.\n",
    ]
    for context in _walk(click.Context(cli, info_name="evalkit", **cli.context_settings, **_WIDTH)):
        words = context.command_path
        text = context.get_help()
        parts.append(f"{'#' * (words.count(' ') + 2)} {words}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _walk(context: click.Context) -> Iterator[click.Context]:
    """Contexts of a command and of all below it (help options are the parent's)."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            inner = context.command.get_command(context, name)
            if inner is not None:
                settings = {**inner.context_settings, **_WIDTH}
                yield from _walk(click.Context(inner, context, name, **settings))


def main() -> None:
    """Rewrite the files."""
    CLI_PAGE.write_text(cli_page(), encoding="utf-8")
    print(f"Wrote {CLI_PAGE.relative_to(ROOT)}")
    if "--cli" not in sys.argv[1:]:
        text = readme_with_outputs(README.read_text(encoding="utf-8"))
        README.write_text(text, encoding="utf-8")
        print(f"Wrote {README.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
