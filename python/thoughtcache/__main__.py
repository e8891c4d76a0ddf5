"""The command line: `thoughtcache ...` or `python -m thoughtcache ...`."""

import signal
import sys

from thoughtcache import _native, trainer


def main() -> None:
    """Does what was typed, and ends with the exit code of the program."""
    # The program neither returns to Python for Ctrl-C nor for a reader that goes away: it ends, as programs do.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    typed = ["thoughtcache", *sys.argv[1:]]
    trainer.hand_over(typed)
    sys.exit(_native.main(typed))


if __name__ == "__main__":
    main()
