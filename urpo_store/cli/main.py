"""The `urpo-store` command.

Exit codes: 0 done, 1 failed, 2 wrong usage. All but `serve` and `demo` talk to a running `serve` over
its HTTP API. Without a command, in a terminal, the receiver and the terminal UI start together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..errors import UrpoStoreError
from . import commands
from .parser import Command, make_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            parser.print_help()
            return 2
        options = parser.parse_args(["serve"])
        options.run = commands.start
    try:
        run: Command = options.run
        return run(options)
    except commands.UsageError as error:
        print(f"urpo-store: {error}", file=sys.stderr)
        return 2
    except UrpoStoreError as error:
        print(f"urpo-store: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whatever read our output has ended (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
