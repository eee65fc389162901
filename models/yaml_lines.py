"""YAML that people edit: parsed together with the line of every value, so that an error can name it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]


class YamlFile:
    """A parsed file: ``value`` and, for any path inside it, the ``line`` (from 1) where it stands.

    Raises:
        ValueError: not UTF-8, not YAML, or a key twice in one mapping; names file and line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[Location, int] = {}
        try:
            text = path.read_text(encoding="utf-8-sig")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value: Any = yaml.safe_load(text)
        except UnicodeDecodeError:
            raise ValueError(f"{path}: not UTF-8; save the file as UTF-8") from None
        except (yaml.YAMLError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f"line {mark.line + 1}: " if mark else ""
            raise ValueError(f"{path}: {where}not YAML: {getattr(error, 'problem', None) or error}") from None
        except RecursionError:
            raise ValueError(f"{path}: nested too deeply") from None
        if root is not None:
            self._walk(root, ())

    def line(self, location: Sequence[str | int]) -> int:
        """Line of a value, or of the nearest mapping around it that exists."""
        known = tuple(location)
        while known and known not in self._lines:
            known = known[:-1]
        return self._lines.get(known, 1)

    def where(self, location: Sequence[str | int]) -> str:
        """``file, line n, field a.b`` for messages."""
        field = ".".join(str(part) for part in location)
        return f"{self.path}, line {self.line(location)}" + (f", field {field}" if field else "")

    def _walk(self, node: yaml.Node, location: Location) -> None:
        self._lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, child in node.value:
                name = str(key.value)
                if name in seen:
                    raise ValueError(f"{self.path}, line {key.start_mark.line + 1}: {name!r} occurs twice")
                seen.add(name)
                self._lines[(*location, name)] = key.start_mark.line + 1
                self._walk(child, (*location, name))
        elif isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self._walk(child, (*location, index))
