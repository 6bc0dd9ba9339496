"""What others wrote, on this terminal: text that is shown, and nothing that is carried out."""

import io
import json
import re

import pytest
from rich.text import Text

from genmedia.cli.app import _tell_unforeseen  # pyright: ignore[reportPrivateUsage] # what else ends in it is nobody's to script
from genmedia.cli.printing import Console, complain, print_csv, print_json, print_table
from genmedia.cli.terminal import showing_progress
from genmedia.progress import Progress, announce, listener, tell

HOSTILE = (
    "[bold red]sold[/] [link=http://evil.example]here[/link] :smile: \x1b[2J\x1b]0;title\x07\x9b31m"
    "\x1b]52;c;Y3VybA==\x07 gpj.\u202eexe\u2066 \r\x08\x00 \ud800 end"
)
SEEN = "[bold red]sold[/] [link=http://evil.example]here[/link] :smile:"


def harmless(shown: str) -> bool:
    return (
        SEEN in shown
        and "end" in shown
        and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    )


def on_paper() -> tuple[Console, io.StringIO]:
    shown = io.StringIO()
    return Console(file=shown, width=400), shown


def test_a_line_a_cell_and_a_title_are_shown_as_text() -> None:
    console, shown = on_paper()

    console.print(HOSTILE)
    console.print(HOSTILE, style="red", soft_wrap=True)
    console.print(Text.assemble((HOSTILE, "bold")))
    print_table(console, ["a", HOSTILE], [[HOSTILE, "b"]])

    assert harmless(shown.getvalue())
    assert shown.getvalue().count(SEEN) == 5


def test_a_narrow_terminal_breaks_no_number_and_no_title_of_one() -> None:
    shown = io.StringIO()

    print_table(
        Console(file=shown, width=32),
        ("unit", "overcharged", "unknown"),
        [("algovera credits", "12345678901", "1")],
        ("overcharged", "unknown"),
    )

    assert {"overcharged", "unknown", "12345678901", "credits"} <= set(shown.getvalue().split())


def test_a_narrow_terminal_breaks_no_name_in_the_first_column() -> None:
    shown = io.StringIO()
    row = ["hero-MUG-01-landscape-take-2", "genova image nano_banana2", "new, after review", "1 credit"]

    print_table(Console(file=shown, width=60), ("item", "operation", "why", "price"), [row], ["price"])

    assert row[0] in shown.getvalue()


def test_a_pipe_gets_each_line_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = io.StringIO()
    row = ["hero", "a reason as long as reasons can be, " * 8, "1 credit"]

    print_table(Console(file=shown), ("item", "why", "price"), [row], ["price"])

    assert len(shown.getvalue().splitlines()) == 2


def test_a_terminal_gets_colours_of_ours_and_none_of_others() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=400, force_terminal=True, color_system="standard", legacy_windows=False)

    console.print(HOSTILE, style="red")

    own = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
    assert shown.getvalue().startswith("\x1b[31m")
    assert harmless(own)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_shown_as_text(terminal: bool) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=400, force_terminal=terminal)

    with showing_progress(console):
        hear = listener.get()
        assert hear is not None
        hear(Progress(HOSTILE, HOSTILE, 10))
        hear(Progress("step", "", 10))

    assert SEEN in shown.getvalue()
    assert not re.search("\x1b\\]|\x1b\\[2J.*title|\x9b|\u202e|\x07|\x00", shown.getvalue())


def test_progress_has_a_clock_and_says_how_many_steps_are_over_and_what_comes_then() -> None:
    console, shown = on_paper()
    board = io.StringIO()

    for one in (console, Console(file=board, width=400, height=40, force_terminal=True)):
        with showing_progress(one):
            hear = listener.get()
            hear(Progress("", "after still-life", part="poster"))
            announce(["relight", "blur"])
            tell("relight", "Bought")
            tell("relight", "Bought", 50)
            tell("relight", "stored", 100, over=True)
            hear(Progress("film", "Reused", over=True, part="poster"))
            tell("blur", "the job failed", over=True)

    assert re.sub(r"(?m)^ 0:\d\d ", "", shown.getvalue()).splitlines() == [
        "   0/2+  relight: Bought",
        "   1/2+  relight: stored",
        "    2/3  poster film: Reused",
        "    3/3  blur: the job failed",
    ]
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", board.getvalue())
    assert re.search(r" 0:\d\d  3 of 3 done, 0 to go", seen)
    assert re.search(r"^  poster film .* Reused", seen, re.MULTILINE)


def test_errors_and_tracebacks_are_shown_as_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    complain(HOSTILE)
    assert harmless(capsys.readouterr().err)

    for traceback in ("", "1"):
        monkeypatch.setenv("GENMEDIA_TRACEBACK", traceback)
        _tell_unforeseen(ValueError(HOSTILE))
        assert harmless(capsys.readouterr().err)


def test_json_means_the_same_and_holds_no_such_character(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"said": HOSTILE, "tag": "\U000e0041"})

    shown = capsys.readouterr().out
    assert harmless(shown)
    assert json.loads(shown) == {"said": HOSTILE, "tag": "\U000e0041"}


def test_a_csv_on_the_terminal_holds_no_such_character_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv(["a", "b"], [[HOSTILE, "\n=1+1"], ["-1", -1.5], ["a;=1+1", "tea; -2\n @a"]])

    shown = capsys.readouterr().out
    assert harmless(shown.replace("\r\n", "\n"))
    assert "\"'\n'=1+1\"" in shown
    assert "a;'=1+1," in shown  # where commas are decimal, a cell begins at the semicolon
    assert "tea;' -2\n' @a" in shown
    assert "'-1,-1.5" in shown
