"""A campaign's file as it is written: YAML or JSON, with the line and column of each value."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from genmedia.errors import Fault, InputError

LARGEST = 4 * 2**20
"""Most bytes of a file."""

MANY = 200_000
"""Most values of a file, where each alias counts as all that it stands for."""

DEEPEST = 40
"""Most levels of lists and fields in each other."""

Way = tuple[str | int, ...]
"""Way to a value: names of fields, and places in lists from 0."""

_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str")}
"""Those of values without a tag: a number's is found by its text."""

_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?\Z")


@dataclass(frozen=True)
class Source:
    """What a file says.

    Attributes:
        name: Name of the file, for faults.
        folder: Folder in which its relative paths begin.
        value: Its value: fields, lists, texts, numbers, true, false and null.
        spots: Line and column of each value, from 1, by its way.
    """

    name: str
    folder: Path
    value: Any
    spots: Mapping[Way, tuple[int, int]] = field(default_factory=dict[Way, tuple[int, int]])

    def place(self, way: Sequence[str | int], *rest: str) -> str:
        """Return the place of a value for people: file, line and column, and what else tells it, such as its step.

        Args:
            way: Way to the value; where the file does not have it, the place of what would contain it.
            rest: Further words.
        """
        spot = next(found for end in range(len(way), -1, -1) if (found := self.spots.get(tuple(way[:end]))))
        return ", ".join(filter(None, (f"{self.name}:{spot[0]}:{spot[1]}", *rest)))


def read(written: str) -> Source:
    """Read a file.

    Args:
        written: Its path; or its content, where that has more than one line or begins with a brace: then its relative paths begin in the
            working directory.

    Raises:
        InputError: It cannot be read, or is neither YAML nor JSON, with line and column.
    """
    if "\n" in written.strip() or written.lstrip().startswith("{"):
        return _read(written, "campaign", Path.cwd())
    path = Path(written.strip())
    try:
        path = path.expanduser()
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            [Fault(str(path), f"cannot be read: {error.strerror if isinstance(error, OSError) else error}")]
        ) from None
    return _read(content, path.name, path.absolute().parent)


def _read(content: bytes | str, name: str, folder: Path) -> Source:
    if len(content) > LARGEST:
        raise InputError([Fault(name, f"has more than {LARGEST // 2**20} MB; rows can stand in a CSV file of their own")])
    text = ""
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
        root = yaml.compose(text.replace("\t", " ") if _is_json(text) else text, Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise InputError([Fault(name, f"is not in UTF-8: byte {error.start + 1} cannot be read; save it as UTF-8")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InputError([Fault(f"{name}{spot}", _in_words(error, text))]) from None
    except yaml.reader.ReaderError as error:
        what = f"has the character U+{ord(text[error.position]):04X}, which YAML cannot have"
        raise InputError([Fault(f"{name}:{text[: error.position].count(chr(10)) + 1}", what)]) from None
    except yaml.YAMLError as error:
        raise InputError([Fault(name, f"is neither YAML nor JSON: {error}")]) from None
    except RecursionError:
        raise InputError([Fault(name, f"has more than {DEEPEST} levels")]) from None
    if not isinstance(root, yaml.MappingNode):
        raise InputError([Fault(f"{name}:1:1", "should be fields with values, such as `campaign: mugs`")])
    reading = _Reading(name)
    value = reading.value(root, ())
    if reading.faults:
        raise InputError(reading.faults)
    return Source(name, folder, value, reading.spots)


def _is_json(text: str) -> bool:
    """True if the text is JSON, which may have tabs wherever it may have spaces."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _in_words(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or (error.problem and "'\\t'" in error.problem):
        return "begins with a tab; YAML is indented by spaces"
    if error.problem and "mapping values are not allowed here" in error.problem:
        return "has a colon where none can be; put a text with a colon in quotes"
    return f"is neither YAML nor JSON: {error.problem or error.context}"


@dataclass
class _Reading:
    """Turns nodes into values, and gathers the faults."""

    name: str
    spots: dict[Way, tuple[int, int]] = field(default_factory=dict[Way, tuple[int, int]])
    faults: list[Fault] = field(default_factory=list[Fault])
    _left: int = MANY

    def value(self, node: yaml.Node, way: Way) -> Any:
        self._left -= 1
        self.spots[way] = node.start_mark.line + 1, node.start_mark.column + 1
        if self._left < 0 or len(way) > DEEPEST:
            if not self.faults or self._left >= 0:
                limit = f"{MANY} values, with all that its aliases stand for" if self._left < 0 else f"{DEEPEST} levels"
                self._tell(node, f"there are more than {limit}")
            return None
        if node.tag not in _TAGS:
            self._tell(node, f"has the tag {node.tag}; only plain values can stand in a campaign")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._fields(node, way)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*way, number)) for number, one in enumerate(node.value)]
        return _scalar(node)

    def _fields(self, node: yaml.MappingNode, way: Way) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._tell(key, "should be the name of a field")
            elif key.value in fields:
                self._tell(key, f"is the second field {key.value} here")
            elif key.value == "<<":
                self._tell(key, "merges fields, which a campaign cannot; write them out")
            else:
                fields[key.value] = self.value(value, (*way, key.value))
        return fields

    def _tell(self, node: yaml.Node, what: str) -> None:
        if self._left >= 0 or not self.faults:
            self.faults.append(Fault(f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}", what))


def _scalar(node: Any) -> Any:
    """Return a scalar's value by YAML 1.2: quoted it is a text; `no` is a text too, and so is `007`, which a number would lose."""
    # JSON may write a character as two halves, which YAML reads as two characters.
    text: str = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if node.style is not None:
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _WHOLE.match(text) and len(text) < 20:
        return int(text)
    return float(text) if _DECIMAL.match(text) and len(text) < 40 else text
