"""A network from anywhere: the dotted path of a callable that returns an nn.Module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from audit.models.errors import ModelError, nearest, shortened


@contextmanager
def working_folder_importable() -> Iterator[None]:
    """The current folder at the end of the import path, so a user's module is found and shadows nothing of ours."""
    folder = str(Path.cwd())
    if folder in sys.path or "" in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def user_module(path: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Call what `path` names with `arguments`. Raises ModelError where that gives no nn.Module."""
    factory = _resolved(path)
    if not callable(factory):
        raise ModelError(f"architecture={path} is a {type(factory).__name__}, not a callable that returns an nn.Module")
    return called(factory, path, arguments)


def called(factory: Callable[..., object], name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """`factory(**arguments)`, whose failure or wrong type is a ModelError that names the architecture."""
    try:
        module = factory(**arguments)
    except Exception as error:  # the user's own code: whatever it raises, the reader needs the name and the message
        given = shortened(arguments) or "no arguments"
        raise ModelError(f"architecture={name} called with {given} raised {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"architecture={name} returned a {type(module).__name__}, not an nn.Module")
    return module


def _resolved(path: str) -> object:
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:count])
        try:
            found: object = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            absent = error.name or ""
            if module_name == absent or module_name.startswith(f"{absent}."):
                continue
            raise ModelError(f"architecture={path}: importing {module_name} needs {absent}, not installed") from error
        except Exception as error:
            raise ModelError(
                f"architecture={path}: importing {module_name} raised {type(error).__name__}: {error}"
            ) from error
        for attribute in parts[count:]:
            if not hasattr(found, attribute):
                public = [name for name in dir(found) if not name.startswith("_")]
                raise ModelError(f"architecture={path}: there is no {attribute} in it; {nearest(attribute, public)}")
            found = getattr(found, attribute)
        return found
    raise ModelError(f"architecture={path}: no module {parts[0]} can be imported; is it in the current folder?")
