"""For a configuration that nobody typed there are words that give it."""

from __future__ import annotations

import pytest

from audit.composition import compose
from audit.typed_words import typed_words


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["experiment=regression", "model.checkpoint=next weights.safetensors", "seed=7"],
        ["experiment=regression", "design.seeds=12", "design.factors.light=[front,back]", "~design.factors.relation"],
        ["experiment=imagenet_objects", "model=resnet18", "design.objects=[lemon,bucket]"],
        ["model=[proximity,squeezenet1_0]", "attribution.methods=[grad_cam,occlusion]", "attribution.target=runner_up"],
    ],
)
def test_they_compose_to_it(typed: list[str]) -> None:
    config = compose(typed)
    assert compose(typed_words(config)) == config


def test_folders_and_what_changes_no_result_are_not_among_them() -> None:
    config = compose(["experiment=regression", "paths.outputs=elsewhere", "comparison.alpha=.01"])
    assert typed_words(config) == ["experiment=regression"]
