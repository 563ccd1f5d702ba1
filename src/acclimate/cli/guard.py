"""How errors reach a person: a few lines on stderr and an exit code, no traceback unless asked for."""

import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

from acclimate.cli.mends import in_options, options_of
from acclimate.cli.streams import STANDARD_OUTPUT, ReaderGone, gave_way, harmless_streams, silence
from acclimate.errors import BROKEN_PIPE, FAULT, AcclimateError, Interrupted
from acclimate.files import disk_full, is_disk_full
from acclimate.inert import inert

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """Decorates a verb; `debug` lets exceptions through with their traceback."""

    debug = False

    def __call__(self, verb: Callable[P, T]) -> Callable[P, T]:
        """Wrap a verb so that what it prints is harmless, and what it raises becomes a line and an exit code (`errors`)."""

        @functools.wraps(verb)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.told(verb), harmless_streams():
                return verb(*args, **kwargs)

        return wrapped

    @contextmanager
    def told(self, verb: Callable[..., object] | None = None) -> Iterator[None]:
        """Tell what the block raises, in the options of the verb that it is about."""
        try:
            yield
        except (AcclimateError, Interrupted) as error:
            if self.debug:
                raise
            message = in_options(str(error), options_of(verb)) if verb is not None else str(error)
            _end(f"{'error: ' if isinstance(error, AcclimateError) else ''}{message}", error.exit_code)
        except KeyboardInterrupt:
            _end("stopped at once; what was complete is kept: the same command continues", Interrupted.exit_code)
        except ReaderGone:
            silence()
            raise SystemExit(BROKEN_PIPE) from None  # `acclimate ... | head`: nobody reads on, and nobody wants a complaint
        except MemoryError:
            if self.debug:
                raise
            _end("error: out of memory; what was complete is kept: give it more (or --micro-tokens, fewer --workers), and the same command")
        except Exception as error:
            # Raised by the command line itself: its own ways to end.
            if self.debug or type(error).__module__.startswith(("click.", "typer.")):
                raise
            where = str(getattr(error, "filename", None) or "")
            if where == STANDARD_OUTPUT:
                silence()
            elif gave_way():
                where = STANDARD_OUTPUT
            if is_disk_full(error):
                _end(f"error: {disk_full(where or 'a disk that this command writes to')}")
            if isinstance(error, OSError):
                _end(f"error: {f'{where}: ' if where else ''}{error.strerror or error}")
            traceback.print_exc()
            _end("error: this is a fault of acclimate; please report it with the lines above. What was complete is kept", FAULT)


def _end(said: str, exit_code: int = AcclimateError.exit_code) -> None:
    with suppress(OSError):
        print(inert(said), file=sys.stderr, flush=True)
    raise SystemExit(exit_code) from None


guarded = Guard()
