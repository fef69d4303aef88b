"""Groups that import the module of a command when it is called, so that `--help` stays fast."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group with commands of other modules, beside those that were added to it.

    Attributes:
        elsewhere: by the command's name: its module, the name it has there, and what help says.
    """

    def __init__(
        self, *args: Any, elsewhere: Mapping[str, tuple[str, str, str]], **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.elsewhere = dict(elsewhere)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, sorted; nothing is imported."""
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command and return it; None where there is none of that name."""
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self.elsewhere[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        rows = {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        rows |= {name: told for name, (_, _, told) in self.elsewhere.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))
