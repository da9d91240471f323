"""`forewarn`: one command for everything. Subcommands load what they need when they are called."""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from forewarn.arguments import check_files, parser
from forewarn.environment import Failed, WrongUse, expand
from forewarn.quick_start import starting

DONE, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 done, 1 failed, 2 wrong use)."""
    try:
        words = parser()
        given = words.parse_args(arguments)
        if given.version:
            print(f"forewarn {version('forewarn')}")
            return DONE
        if given.command is None:
            words.print_help()
            return WRONG_USE
        check_files(given)
        environ = expand(os.environ, given.data_dir)
        module, _, function = given.run.partition(":")
        with starting():
            command = getattr(importlib.import_module(module), function)
        return int(command(given, environ) or DONE)
    except WrongUse as wrong:
        print(f"forewarn: {wrong}", file=sys.stderr)
        return WRONG_USE
    except Failed as failed:
        print(f"forewarn: {failed}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
