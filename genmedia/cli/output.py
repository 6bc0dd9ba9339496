"""Standard output that may fail: neither a full disk nor a closed pipe ends work that is paid for."""

import os
import sys
from io import TextIOWrapper


class Output(TextIOWrapper):
    """Standard output that keeps the error by which it failed, and prints nothing after it, so that purchases are brought to their end."""

    failure: OSError | None = None

    @classmethod
    def install(cls) -> None:
        """Replace standard output by one of these, if there is a standard output."""
        plain = sys.stdout
        if isinstance(plain, TextIOWrapper):
            sys.stdout = cls(sys.stdout.buffer, plain.encoding, plain.errors, line_buffering=plain.line_buffering)

    @staticmethod
    def fault() -> str:
        """Reason why standard output could not be written; empty if it could, or if its reader closed the pipe."""
        output = sys.stdout
        if not isinstance(output, Output):
            return ""
        output.flush()
        return "" if output.failure is None or isinstance(output.failure, BrokenPipeError) else str(output.failure.strerror)

    def write(self, text: str, /) -> int:
        """Write a text; an error is kept and not raised."""
        try:
            return super().write(text)
        except OSError as error:
            self._go_silent(error)
            return len(text)

    def flush(self) -> None:
        """Write out the buffer; an error is kept and not raised."""
        try:
            super().flush()
        except OSError as error:
            self._go_silent(error)

    def _go_silent(self, error: OSError) -> None:
        self.failure = error
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, self.fileno())
        os.close(silence)
