"""Strict conversion of plain configuration (dicts, lists, text, numbers) into the dataclasses of `audit.config`.

Hydra checks neither types nor values outside its own schema language, and its messages know no nearest name; this does.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from audit.config import AuditConfig

MISSING = "???"  # a value that a configuration file leaves to the user

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class ConfigError(ValueError):
    """A setting that cannot be used. The message is one line: the key, the value, and what would be valid."""


def convert(value: object, kind: Any, key: str) -> Any:
    """`value` as `kind` (a type annotation of `audit.config`), all the way down.

    Raises ConfigError, naming `key`, for an unknown or missing key and for a value of another type. Numbers never come
    from text, whole numbers never from fractions or booleans; a whole number is taken where a fraction may stand.
    """
    if isinstance(value, str) and value == MISSING:
        raise ConfigError(f"{key} has to be given: {key}=...")
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _section(value, cast(type[Any], kind), key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return None if value is None else convert(value, inner, key)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{key}={show(value)}: expected a list, [{show(value)}]")
        return [_element(v, arguments[0], f"{key}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key}={show(value)}: expected names with values, {{name: value}}")
        return {_name(k, key): convert(v, arguments[1], f"{key}.{k}") for k, v in value.items()}
    return _scalar(value, kind, key)


def kind_of(key: str) -> Any:
    """The type annotation of a dotted key below AuditConfig. Raises KeyError when the schema has no such key."""
    kind: Any = AuditConfig
    for part in key.split("."):
        kind = _without_none(kind)
        if kind is Any:
            return Any
        if dataclasses.is_dataclass(kind):
            kind = get_type_hints(kind)[part]
        elif get_origin(kind) is dict and part:
            kind = get_args(kind)[1]
        else:
            raise KeyError(key)
    return kind


def is_text(kind: Any) -> bool:
    """Whether `kind` is str, or str or None: such a value is taken as typed, whatever characters it has."""
    return _without_none(kind) is str


def fields(kind: Any = AuditConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, comment) of every setting, in order; `model.` stands for `models.<name>.`, `design.` likewise."""
    hints, comments = get_type_hints(kind), _comments(kind)
    for field in dataclasses.fields(kind):
        key, inner = prefix + field.name, hints[field.name]
        if dataclasses.is_dataclass(inner):
            yield from fields(inner, key + ".")
        elif key in ("models", "designs"):
            yield from fields(get_args(inner)[1], key[:-1] + ".")
        else:
            yield key, comments.get(field.name, "")


def unknown_key(key: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that does not exist, with those that end like it or are spelt like it."""
    names = list(dict.fromkeys(known))
    tail = key.rsplit(".", 1)[-1]
    close = [n for n in names if n.rsplit(".", 1)[-1] == tail] or difflib.get_close_matches(key, names, 3, 0.6)
    if not close:
        tails = difflib.get_close_matches(tail, [n.rsplit(".", 1)[-1] for n in names], 1, 0.6)
        close = [n for n in names if n.rsplit(".", 1)[-1] in tails]
    hint = f"did you mean {' or '.join(close[:3])}?" if close else "`help` lists all settings"
    return ConfigError(f"{key}: there is no such setting; {hint}")


def show(value: object) -> str:
    """A value as a user would type it, shortened."""
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(a for a in get_args(kind) if a is not type(None))
    return kind


def _section(value: object, kind: type[Any], key: str) -> Any:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key}={show(value)}: this is a group of settings, not a single one")
    hints = get_type_hints(kind)
    prefix = f"{key}." if key else ""
    for name in value:
        if name not in hints:
            raise unknown_key(f"{prefix}{name}", [prefix + n for n in hints])
    return kind(**{name: convert(v, hints[name], prefix + name) for name, v in value.items()})


def _name(name: object, key: str) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"{key}: the name {show(name)} is no text; put it in quotes")
    return name


def _element(value: object, kind: Any, key: str) -> Any:
    """An element of a list; text is named with the remedy, since YAML reads off, no and 3 as something else."""
    if kind is str and not isinstance(value, str):
        raise ConfigError(f"{key}={show(value)}: expected text; quote it ('{show(value)}'), and write none, never off")
    return convert(value, kind, key)


def _scalar(value: object, kind: Any, key: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        hint = "; put it in quotes" if kind is str else ""
        raise ConfigError(f"{key}={show(value)}: expected {_KINDS[kind]}{hint}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key}={show(value)}: expected a finite number")
    return value


def _comments(kind: Any) -> dict[str, str]:
    """Field -> the comment on its lines, out of the source of the dataclass `kind`."""
    lines = inspect.getsource(kind).splitlines()
    found: dict[str, str] = {}
    for node in ast.parse("\n".join(lines)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            comments = [line.partition("  # ")[2] for line in lines[node.lineno - 1 : node.end_lineno]]
            found[node.target.id] = " ".join(c.strip() for c in comments if c)
    return found
