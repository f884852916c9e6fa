"""Published weights: taken from torch's folder, fetched whole or not at all, and soon said to be out of reach.

No test goes beyond this machine.
"""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models
from torchvision.models import Weights, WeightsEnum
from torchvision.transforms._presets import ImageClassification

from audit.config import ModelConfig, PreprocessingConfig
from audit.models import Adapter, ModelError, WeightsUnavailable, build_adapter, torchvision_weights
from tests.models.tasks import CLASSIFICATION

IMAGENET = PreprocessingConfig(
    height=64, width=64, normalisation="fixed", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
)


@pytest.fixture(scope="module")
def published() -> bytes:
    """A file as torchvision publishes them, of an untrained SqueezeNet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        buffer = io.BytesIO()
        torch.save(models.squeezenet1_1().state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder of downloads, empty."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


class Host:
    """A server on this machine: what it answers, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.content = b""
        self.status = 200
        self.announced: int | None = None
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked += 1
                self.send_response(host.status)
                self.send_header("Content-Length", str(host.announced or len(host.content)))
                self.end_headers()
                self.wfile.write(host.content)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()[:8]
        return f"http://127.0.0.1:{self.server.server_port}/models/squeezenet1_1-{digest}.pth"


@pytest.fixture
def host() -> Iterator[Host]:
    running = Host()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make torchvision say that the weights of squeezenet1_1 lie at some address."""

    def at(url: str) -> None:
        class Published(WeightsEnum):
            IMAGENET1K_V1 = Weights(url=url, transforms=partial(ImageClassification, crop_size=224), meta={})
            DEFAULT = IMAGENET1K_V1

        monkeypatch.setattr(models, "get_model_weights", lambda name: Published)

    return at


def build(checkpoint: str = "torchvision:DEFAULT", architecture: str = "squeezenet1_1") -> Adapter:
    config = ModelConfig(
        name="mine",
        task="classification",
        architecture=architecture,
        checkpoint=checkpoint,
        preprocessing=IMAGENET,
    )
    return build_adapter(config, "cpu", CLASSIFICATION)


def unavailable() -> WeightsUnavailable:
    start = time.monotonic()
    with pytest.raises(WeightsUnavailable) as error:
        build()
    assert time.monotonic() - start < 30  # the waits below would take twice that
    assert "\n" not in str(error.value)
    assert error.value.remedy == "download them elsewhere and set models.mine.checkpoint=FILE"
    assert all(part in str(error.value) for part in (error.value.reason, error.value.url, error.value.remedy))
    return error.value


def test_what_torch_has_already_is_not_fetched_again(folder: Path, host: Host, publish, published: bytes) -> None:
    url = host.address(published)
    publish(url)
    folder.mkdir(parents=True)
    (folder / url.rpartition("/")[2]).write_bytes(published)
    adapter = build()
    assert host.asked == 0
    assert adapter.checkpoint.sha256 == hashlib.sha256(published).hexdigest()
    assert adapter.checkpoint.file == url.rpartition("/")[2]


def test_what_torch_has_not_is_fetched_once_and_kept(folder: Path, host: Host, publish, published: bytes) -> None:
    host.content = published
    publish(host.address(published))
    first, second = build(), build("torchvision:IMAGENET1K_V1")
    assert host.asked == 1
    pictures = np.zeros((1, 64, 64, 3), np.uint8)
    assert (first.logits(pictures) == second.logits(pictures)).all()
    assert [file.name for file in folder.iterdir()] == [first.checkpoint.file]


def test_the_card_says_where_weights_come_from_and_what_they_were_trained_for(
    folder: Path, host: Host, publish, published: bytes, tmp_path: Path
) -> None:
    """Also where the file was downloaded by hand and renamed: it is known by its digest."""
    host.content = published
    publish(host.address(published))
    card = build().checkpoint.card
    assert card["source"] == "torchvision Published.IMAGENET1K_V1"
    assert card["trained_for"]["mean"] == [0.485, 0.456, 0.406]
    (tmp_path / "renamed.pth").write_bytes(published)
    assert build(str(tmp_path / "renamed.pth")).checkpoint.card == card
    torch.save({k: v * 0.9 for k, v in build().module.state_dict().items()}, tmp_path / "trained_on.pth")
    assert build(str(tmp_path / "trained_on.pth")).checkpoint.card == {}


def test_a_file_that_broke_off_is_fetched_anew(folder: Path, host: Host, publish, published: bytes) -> None:
    host.content = published
    url = host.address(published)
    publish(url)
    folder.mkdir(parents=True)
    (folder / url.rpartition("/")[2]).write_bytes(published[:1000])
    assert build().checkpoint.sha256 == hashlib.sha256(published).hexdigest()
    assert host.asked == 1


def test_another_file_under_that_address_is_refused_and_leaves_nothing(
    folder: Path, host: Host, publish, published: bytes
) -> None:
    publish(host.address(published))
    host.content = b"<html>please log in</html>"
    assert "not that file" in unavailable().reason
    host.content, host.announced = published[: len(published) // 2], len(published)
    unavailable()
    assert list(folder.iterdir()) == []


def test_an_answer_other_than_the_file_is_told(folder: Path, host: Host, publish, published: bytes) -> None:
    publish(host.address(published))
    host.status = 403
    assert "HTTP 403" in unavailable().reason


def test_a_host_that_refuses_is_told_at_once(folder: Path, publish) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        number = port.getsockname()[1]
    publish(f"http://127.0.0.1:{number}/squeezenet1_1-00000000.pth")
    error = unavailable()
    assert "Connection refused" in error.reason
    assert error.url.endswith(f":{number}/squeezenet1_1-00000000.pth")


@pytest.mark.parametrize("where", ["a host that never answers", "a name that is looked up for ever"])
def test_waiting_has_an_end(folder: Path, publish, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(torchvision_weights, "TIMEOUT", 0.2)
    if where == "a name that is looked up for ever":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: time.sleep(60) or [])
        publish("http://nowhere.invalid/squeezenet1_1-00000000.pth")
        assert "no answer within" in unavailable().reason
        return
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        publish(f"http://127.0.0.1:{silent.getsockname()[1]}/squeezenet1_1-00000000.pth")
        assert "timed out" in unavailable().reason


def test_a_folder_that_cannot_be_written_is_told(folder: Path, host: Host, publish, published: bytes) -> None:
    host.content = published
    publish(host.address(published))
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    assert "exist" in unavailable().reason.lower()


def test_unknown_weights_get_the_nearest_that_there_are(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"no such weights; did you mean IMAGENET1K_V1"):
        build("torchvision:IMAGENET1K_V3")
    with pytest.raises(ModelError, match=r"no such weights; did you mean DEFAULT"):
        build("torchvision:DEFAUL", "resnet18")


def test_published_weights_go_with_torchvisions_own_networks_alone() -> None:
    with pytest.raises(ModelError, match="goes with an architecture of torchvision"):
        build(architecture="proximity_cnn")
    with pytest.raises(ModelError, match="goes with an architecture of torchvision"):
        build(architecture="tests.models.planted.ConstantNet")


def test_every_published_file_carries_its_digest_in_its_name() -> None:
    """What makes it possible to know a whole file from a broken one, and one file from another."""
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            assert torchvision_weights._DIGEST.search(weights.url.rpartition("/")[2]), weights
