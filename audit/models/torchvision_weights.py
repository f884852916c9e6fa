"""torchvision's published weights: found in torch's own folder, else fetched into it, else said to be out of reach."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import tempfile
import threading
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import torch

from audit.models.errors import ModelError, WeightsUnavailable, nearest
from audit.progress import Progress

PREFIX = "torchvision:"
TIMEOUT = 5.0  # s without an answer, or without a byte, after which weights are out of reach
_DIGEST = re.compile(r"-([0-9a-f]{8,})\.")  # torch's convention: a file's name has the beginning of its sha256
_PIECE = 1 << 20  # bytes read at once


class _Damaged(Exception):
    """A file that is not the one its name promises."""


def entry(architecture: str, name: str) -> Any:
    """The weights `name` (DEFAULT, IMAGENET1K_V1, ...) of a network of torchvision. Raises ModelError."""
    from torchvision import models

    known = models.get_model_weights(architecture).__members__
    if name not in known:
        raise ModelError(f"checkpoint={PREFIX}{name}: {architecture} has no such weights; {nearest(name, known)}")
    return known[name]


def recognised(architecture: str, sha256: str) -> Any | None:
    """Which of torchvision's weights a file with this digest holds; None where it is none of them."""
    from torchvision import models

    for weights in models.get_model_weights(architecture):
        digest = _DIGEST.search(_file_name(weights.url))
        if digest and sha256.startswith(digest[1]):
            return weights
    return None


def card(weights: Any) -> dict[str, Any]:
    """What torchvision says of its weights, as the card of a checkpoint: source, and the preprocessing they expect."""
    transforms = weights.transforms()
    return {
        "source": f"torchvision {type(weights).__name__}.{weights.name}",
        "url": weights.url,
        "trained_for": {
            "crop": list(transforms.crop_size),
            "resize": list(transforms.resize_size),
            "mean": list(transforms.mean),
            "std": list(transforms.std),
        },
    }


def fetched(weights: Any, model: str) -> Path:
    """The file of `weights`, downloaded first where torch's folder has no whole one.

    model: the name of the model in the configuration. Raises WeightsUnavailable, after a few seconds without an
    answer; other weights are never taken in their place.
    """
    name = _file_name(weights.url)
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    digest = _DIGEST.search(name)
    try:
        if not file.is_file() or (digest and not _sha256(file).startswith(digest[1])):
            _download(weights.url, file, digest[1] if digest else "")
    except (OSError, HTTPException, ValueError, _Damaged) as error:
        raise WeightsUnavailable(
            model,
            reason=f"weights {name} are not in torch's folder and cannot be downloaded ({_said(error)})",
            url=weights.url,
            remedy=f"download them elsewhere and set models.{model}.checkpoint=FILE",
        ) from error
    return file


def _download(url: str, file: Path, digest: str) -> None:
    """`url` as `file`, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _opened(url) as source, tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as sink:
        partial = Path(sink.name)
        try:
            seen = _copied(source, sink, file.name)
            if not seen.startswith(digest):
                raise _Damaged("what came is not that file, or not all of it")
            sink.close()
            os.replace(partial, file)
        finally:
            partial.unlink(missing_ok=True)


def _copied(source: Any, sink: IO[bytes], title: str) -> str:
    """Copy all bytes; returns their sha256."""
    total, done, sha256 = int(source.headers.get("Content-Length") or 0), 0, hashlib.sha256()
    with Progress(f"downloading {title}, MB") as progress:
        while piece := source.read(_PIECE):
            sink.write(piece)
            sha256.update(piece)
            done += len(piece)
            progress.step(done >> 20, max(total, done) >> 20)
    return sha256.hexdigest()


def _opened(url: str) -> Any:
    """urlopen with a time-out that also holds while a host name is looked up, which its own does not."""
    answer: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            answer.put(urlopen(url, timeout=TIMEOUT))
        except Exception as error:  # handed to the one who waits
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=TIMEOUT + 1)
    except queue.Empty:
        raise TimeoutError(f"no answer within {TIMEOUT:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _file_name(url: str) -> str:
    return Path(urlsplit(url).path).name


def _said(error: Exception) -> str:
    """The error in a few words: what urllib wraps, without its brackets."""
    cause = getattr(error, "reason", None) or error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    code = getattr(error, "code", None)
    return f"HTTP {code} {text}" if code else str(text).splitlines()[0]
