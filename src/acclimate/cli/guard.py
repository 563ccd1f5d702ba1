"""How errors reach a person: a few lines on stderr and an exit code, no traceback unless asked for."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from acclimate.cli.mends import in_options, options_of
from acclimate.errors import AcclimateError, Interrupted

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Decorates a verb; `debug` lets exceptions through with their traceback."""

    debug = False

    def __call__(self, verb: Callable[P, T]) -> Callable[P, T]:
        """Wrap a verb so that a user's mistake exits with 2, a failed training with 1, an interrupt with 130."""

        @functools.wraps(verb)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return verb(*args, **kwargs)
            except (AcclimateError, Interrupted) as error:
                if self.debug:
                    raise
                message = in_options(str(error), options_of(verb))
                print(f"{'error: ' if isinstance(error, AcclimateError) else ''}{message}", file=sys.stderr)
                raise SystemExit(error.exit_code) from None
            except KeyboardInterrupt:
                print("stopped at once; what was complete is kept: the same command continues", file=sys.stderr)
                raise SystemExit(Interrupted.exit_code) from None
            except BrokenPipeError:
                # `acclimate ... | head`: nobody reads on; Python must not complain again when it flushes at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(0) from None
            except OSError as error:
                if self.debug or error.filename is None:
                    raise
                print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
                raise SystemExit(AcclimateError.exit_code) from None

        return wrapped


guarded = Guard()
