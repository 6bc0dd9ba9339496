"""What commands print, when it cannot be written: a full disk, or a reader who has enough, ends no work that is paid for."""

import os
import sys
from io import TextIOWrapper


class Output(TextIOWrapper):
    """Standard output that remembers why it failed, and goes on in silence: what is bought is brought to its end all the same."""

    failure: OSError | None = None

    @classmethod
    def install(cls) -> None:
        """Put one in the place of standard output, where there is any."""
        plain = sys.stdout
        if isinstance(plain, TextIOWrapper):
            sys.stdout = cls(sys.stdout.buffer, plain.encoding, plain.errors, line_buffering=plain.line_buffering)

    @staticmethod
    def fault() -> str:
        """Why standard output could not be written up to now; empty when it could, or when whoever read it had enough."""
        output = sys.stdout
        if not isinstance(output, Output):
            return ""
        output.flush()
        return "" if output.failure is None or isinstance(output.failure, BrokenPipeError) else str(output.failure.strerror)

    def write(self, text: str, /) -> int:
        """Take a text, whether it can be written or not."""
        try:
            return super().write(text)
        except OSError as error:
            self._go_silent(error)
            return len(text)

    def flush(self) -> None:
        """Write what was taken, if it can be written."""
        try:
            super().flush()
        except OSError as error:
            self._go_silent(error)

    def _go_silent(self, error: OSError) -> None:
        self.failure = error
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, self.fileno())
        os.close(silence)
