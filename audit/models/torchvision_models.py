"""torchvision's classification networks by name: how each is built, where its maps are taken, what its files hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from audit.models.errors import ModelError, nearest
from audit.models.layer_layout import CHANNELS_FIRST, CHANNELS_LAST, CLASS_TOKEN_FIRST, LayerLayout
from audit.models.user_module import called


@dataclass(frozen=True)
class Family:
    """Networks that share a target layer. names: pattern of their names. layer: the last one before pooling whose
    output still has places. layout: how the outputs of the layers lie that `laid_out` matches; the others' lie
    channels first.
    """

    names: str
    layer: str
    layout: LayerLayout = CHANNELS_FIRST
    laid_out: str = ""


FAMILIES = (
    Family("alexnet", "features.11"),
    Family("vgg11", "features.19"),
    Family("vgg11_bn", "features.27"),
    Family("vgg13", "features.23"),
    Family("vgg13_bn", "features.33"),
    Family("vgg16", "features.29"),
    Family("vgg16_bn", "features.42"),
    Family("vgg19", "features.35"),
    Family("vgg19_bn", "features.51"),
    # in front of the ReLU, which is a function and so no layer; HiResCAM is the same on both sides of a ReLU
    Family(r"densenet\d+", "features.norm5"),
    Family(r"squeezenet1_\d", "features.12"),
    Family(r"(wide_)?res(net|next)\d+\w*", "layer4"),
    Family("googlenet", "inception5b"),
    Family("inception_v3", "Mixed_7c"),
    Family("mobilenet_v2", "features.18"),
    Family("mobilenet_v3_large", "features.16"),
    Family("mobilenet_v3_small", "features.12"),
    Family(r"mnasnet\w+", "layers.16"),
    Family(r"shufflenet_v2_\w+", "conv5"),
    Family(r"efficientnet_(b\d|v2_m|v2_l)", "features.8"),
    Family("efficientnet_v2_s", "features.7"),
    Family(r"regnet_[xy]_\w+", "trunk_output"),
    Family(r"convnext_\w+", "features.7"),
    Family("maxvit_t", "blocks.3"),
    Family(r"swin_\w+", "norm", CHANNELS_LAST, r"norm|features(\.0\.[12]|\.[1-7]\b.*)?"),
    # behind the last attention only the class token is read, and the patches' gradient is zero
    Family(r"vit_b_\d+", "encoder.layers.encoder_layer_11.ln_1", CLASS_TOKEN_FIRST, r"encoder\b.*"),
    Family(r"vit_l_\d+", "encoder.layers.encoder_layer_23.ln_1", CLASS_TOKEN_FIRST, r"encoder\b.*"),
    Family(r"vit_h_\d+", "encoder.layers.encoder_layer_31.ln_1", CLASS_TOKEN_FIRST, r"encoder\b.*"),
)

# Heads that only training uses: the networks are built without them, and files may hold them.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}

# Published files with the parameter names of earlier versions of torchvision: names, pattern, replacement.
FORMER_KEYS = (
    (r"densenet\d+", r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2"),
    (r"vit_\w+", r"^(.*\.mlp)\.linear_1\.", r"\1.0."),
    (r"vit_\w+", r"^(.*\.mlp)\.linear_2\.", r"\1.3."),
)

NOT_TO_BE_SET = ("weights", "pretrained", "pretrained_backbone", "progress", "aux_logits")


@cache
def names() -> tuple[str, ...]:
    """Every classification network of the installed torchvision."""
    from torchvision import models  # here, because it takes seconds to load

    return tuple(models.list_models(module=models))


def is_known(architecture: str) -> bool:
    return "." not in architecture and architecture in names()


def target_layer(architecture: str) -> str:
    """The layer whose output the maps are made of; '' where none is declared for this network."""
    family = _family(architecture)
    return family.layer if family else ""


def layout(architecture: str, layer: str) -> LayerLayout:
    """How the output of `layer` lies in memory."""
    family = _family(architecture)
    return family.layout if family and re.fullmatch(family.laid_out, layer) else CHANNELS_FIRST


def built(architecture: str, arguments: Mapping[str, Any], weights: Any = None) -> nn.Module:
    """The network, its weights still to be loaded.

    weights: the entry of torchvision's weights enum that will be, where it is one: some networks are built otherwise
    for it. Raises ModelError for arguments that the network does not take or that would load weights.
    """
    from torchvision import models

    for key in NOT_TO_BE_SET:
        if key in arguments:
            raise ModelError(f"architecture={architecture}: arguments.{key} cannot be set; weights come by checkpoint")
    given = dict(arguments)
    if architecture in AUXILIARY:
        given |= {"aux_logits": False, "init_weights": False}
        if "transform_input" not in given:
            given["transform_input"] = _converts_input(architecture, weights)
    if weights is not None and architecture.startswith("vit_"):
        given.setdefault("image_size", weights.meta["min_size"][0])
    network = called(models.get_model_builder(architecture), architecture, given)
    # as convolutions on a CPU like it: SqueezeNet takes less than half the time, and nothing else changes
    return network.to(memory_format=torch.channels_last)


def fitted(architecture: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A checkpoint of this network under today's parameter names, without the heads that only training uses."""
    dropped = AUXILIARY.get(architecture, ())
    kept = {key: values for key, values in state.items() if not key.startswith(dropped)} if dropped else dict(state)
    for of, pattern, replacement in FORMER_KEYS:
        if re.fullmatch(of, architecture):
            kept = {re.sub(pattern, replacement, key): values for key, values in kept.items()}
    return kept


def unknown(architecture: str, built_in: Mapping[str, object]) -> ModelError:
    """The error for a name without a dot that is no architecture."""
    known = (*built_in, *names())
    return ModelError(
        f"architecture={architecture} is unknown: {nearest(architecture, known)}"
        " (or give the dotted path of a callable that returns an nn.Module)"
    )


def _family(architecture: str) -> Family | None:
    return next((f for f in FAMILIES if re.fullmatch(f.names, architecture)), None)


def _converts_input(architecture: str, weights: Any) -> bool:
    """These two were ported with weights for another input range, which the network itself then converts to."""
    if weights is None:
        raise ModelError(
            f"architecture={architecture}: this checkpoint does not say whether its network converts its input; set"
            " arguments.transform_input=true (torchvision's weights, and networks trained on from them) or false"
        )
    return True
