"""The methods by name: what each needs of the shared pass, where its maps live, and what to know when reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from audit.attribution import (
    activation_maps,
    attention_rollout,
    eigen_cam,
    full_grad,
    gradient_maps,
    path_maps,
    perturbation_maps,
    pooled_cam,
)
from audit.attribution.network import Network
from audit.attribution.passes import (
    DECONVOLVED,
    GUIDED,
    LAYER,
    LAYER_GRADIENT,
    PICTURE_GRADIENT,
    Pass,
)

INPUT, LAYER_GRID = "input", "layer"


@dataclass(frozen=True)
class Method:
    """An attribution method.

    place: 'input', maps live on the network's input, or 'layer', on the target layer's grid. needs: what the shared
    pass has to leave behind. reduction: how channels become one map, '' where the method leaves one. cost: passes per
    picture beside the shared one, in words; '' where there are none. paper: where it is defined. note: what one should
    know. maps: (B, h, w), signed and unnormalised. refusal: why a network does not allow the method, found by
    asking it about a picture (1, 3, H, W); '' where it does; None where every network with the needed layer does.
    """

    name: str
    title: str
    place: str
    needs: frozenset[str]
    reduction: str
    paper: str
    note: str
    maps: Callable[[Pass], torch.Tensor]
    cost: str = ""
    refusal: Callable[[Network, torch.Tensor], str] | None = None


def _any_of(*refusals: Callable[[Network, torch.Tensor], str]) -> Callable[[Network, torch.Tensor], str]:
    """The first reason that one of them gives, '' where none does."""
    return lambda network, picture: next((why for asked in refusals if (why := asked(network, picture))), "")


_RULED = (gradient_maps.without_picture_gradient, gradient_maps.without_rectifiers)


def _at_input(
    name: str, title: str, need: str, reduction: str, paper: str, note: str, maps: Callable[[Pass], torch.Tensor]
) -> Method:
    is_plain = need == PICTURE_GRADIENT
    cost = "" if is_plain else "one more backward pass"
    refusal = gradient_maps.without_picture_gradient if is_plain else _any_of(*_RULED)
    return Method(name, title, INPUT, frozenset({need}), reduction, paper, note, maps, cost, refusal)


def _of_layer(name: str, title: str, paper: str, note: str, maps: Callable[[Pass], torch.Tensor]) -> Method:
    needs = frozenset({LAYER_GRADIENT})
    reduction, refusal = "sum over the layer's channels", activation_maps.without_layer_gradient
    return Method(name, title, LAYER_GRID, needs, reduction, paper, note, maps, refusal=refusal)


_GRADIENTS = (
    _at_input(
        "saliency",
        "Saliency",
        PICTURE_GRADIENT,
        "maximum of the absolute value",
        "Simonyan et al. 2014",
        "How much the target would move with each pixel; noisy, and without a sign.",
        gradient_maps.saliency,
    ),
    _at_input(
        "saliency_sum",
        "Saliency, summed",
        PICTURE_GRADIENT,
        "sum of the absolute values",
        "Simonyan et al. 2014",
        "As saliency, with the channels summed.",
        gradient_maps.saliency_sum,
    ),
    _at_input(
        "saliency_signed",
        "Saliency, signed",
        PICTURE_GRADIENT,
        "sum",
        "Simonyan et al. 2014",
        "Positive where a lighter pixel would raise the target.",
        gradient_maps.saliency_signed,
    ),
    _at_input(
        "input_x_gradient",
        "Input x gradient",
        PICTURE_GRADIENT,
        "sum",
        "Shrikumar et al. 2016",
        "Says nothing about pixels near the mean of the normalisation, which the network is fed as zeros.",
        gradient_maps.input_x_gradient,
    ),
    _at_input(
        "guided_backprop",
        "Guided backpropagation",
        GUIDED,
        "maximum of the absolute value",
        "Springenberg et al. 2015",
        "Sharp, since it restores the picture's edges; it changes little when weights are randomised.",
        gradient_maps.guided_backprop,
    ),
    _at_input(
        "deconvnet",
        "Deconvolution",
        DECONVOLVED,
        "maximum of the absolute value",
        "Zeiler and Fergus 2014",
        "Depends on the picture through the pooling switches alone.",
        gradient_maps.deconvnet,
    ),
    Method(
        "guided_grad_cam",
        "Guided Grad-CAM",
        INPUT,
        frozenset({GUIDED, LAYER_GRADIENT}),
        "sum",
        "Selvaraju et al. 2017",
        "Guided backpropagation where Grad-CAM is positive; it inherits the faults of both.",
        gradient_maps.guided_grad_cam,
        "one more backward pass",
        _any_of(*_RULED, activation_maps.without_layer_gradient),
    ),
)

_ACTIVATIONS = (
    _of_layer(
        "grad_cam",
        "Grad-CAM",
        "Selvaraju et al. 2017",
        "Averages gradients over the picture and so cannot localise through flattened dense layers.",
        activation_maps.grad_cam,
    ),
    _of_layer(
        "grad_cam_plus_plus",
        "Grad-CAM++",
        "Chattopadhay et al. 2018",
        "Counts positive gradients alone; its weights hold for a target behind an exponential.",
        activation_maps.grad_cam_plus_plus,
    ),
    _of_layer(
        "xgrad_cam",
        "XGrad-CAM",
        "Fu et al. 2020",
        "Grad-CAM with gradients averaged where the layer is active.",
        activation_maps.xgrad_cam,
    ),
    _of_layer(
        "hires_cam",
        "HiResCAM",
        "Draelos and Carin 2020",
        "Gradient times activation at each place of the target layer.",
        activation_maps.hires_cam,
    ),
    _of_layer(
        "layer_cam",
        "Layer-CAM",
        "Jiang et al. 2021",
        "HiResCAM with positive gradients alone, so it has no evidence against the target.",
        activation_maps.layer_cam,
    ),
)

_OWN_PASSES = (
    Method(
        "integrated_gradients",
        "Integrated gradients",
        INPUT,
        frozenset(),
        "sum",
        "Sundararajan et al. 2017",
        "Adds up to the target less the target of a grey picture; pixels that are grey get nothing.",
        path_maps.integrated_gradients,
        "a forward and a backward pass for each of settings.path_steps steps",
        gradient_maps.without_picture_gradient,
    ),
    Method(
        "smooth_grad",
        "SmoothGrad",
        INPUT,
        frozenset(),
        "maximum of the absolute value",
        "Smilkov et al. 2017",
        "Saliency of gradients averaged over noisy copies; of what holds near the picture, not at it.",
        path_maps.smooth_grad,
        "a forward and a backward pass for each of settings.noise_copies copies",
        gradient_maps.without_picture_gradient,
    ),
    Method(
        "occlusion",
        "Occlusion",
        INPUT,
        frozenset(),
        "",
        "Zeiler and Fergus 2014",
        "What the target really loses under a grey patch, as coarse as the patch; its edges are new to the network.",
        perturbation_maps.occlusion,
        "a forward pass for each position of the patch (settings.patch, settings.patch_step)",
    ),
    Method(
        "rise",
        "RISE",
        INPUT,
        frozenset(),
        "",
        "Petsiuk et al. 2018",
        "What the target gains where a random mask keeps the pixel; 0 means no influence. Noisy with few masks.",
        perturbation_maps.rise,
        "a forward pass for each of settings.masks masks",
    ),
    Method(
        "score_cam",
        "Score-CAM",
        LAYER_GRID,
        frozenset({LAYER}),
        "sum over the layer's channels",
        "Wang et al. 2020",
        "Weights by softmax, which are never negative and lie on few channels where logits differ much.",
        perturbation_maps.score_cam,
        "a forward pass for each channel of the target layer (settings.channels)",
    ),
    Method(
        "ablation_cam",
        "Ablation-CAM",
        LAYER_GRID,
        frozenset({LAYER}),
        "sum over the layer's channels",
        "Ramaswamy and Desai 2020",
        "Channels weighted by what the target loses without them, not divided by the target.",
        perturbation_maps.ablation_cam,
        "a forward pass for each channel of the target layer (settings.channels)",
    ),
)

_STRUCTURES = (
    Method(
        "cam",
        "CAM",
        LAYER_GRID,
        frozenset({LAYER}),
        "sum over the layer's channels",
        "Zhou et al. 2016",
        "The weights of the last layer times what they are multiplied with; exact, and without a gradient.",
        pooled_cam.cam,
        refusal=pooled_cam.without_pooled_head,
    ),
    Method(
        "eigen_cam",
        "Eigen-CAM",
        LAYER_GRID,
        frozenset({LAYER}),
        "projection on the first singular vector",
        "Muhammad and Yeasin 2020",
        "No target is involved: it shows what the layer responds to most, whatever the network answers.",
        eigen_cam.eigen_cam,
    ),
    Method(
        "full_grad",
        "FullGrad",
        INPUT,
        frozenset(),
        "sum of the absolute values",
        "Srinivas and Fleuret 2019",
        "Input x gradient and the part of every bias, which together are the whole answer; without a sign.",
        full_grad.full_grad,
        "one more forward and backward pass",
        _any_of(gradient_maps.without_picture_gradient, full_grad.with_a_rest),
    ),
    Method(
        "attention_rollout",
        "Attention rollout",
        LAYER_GRID,
        frozenset({LAYER}),
        "mean over heads",
        "Abnar and Zuidema 2020",
        "No target is involved: it shows where attention leads, whatever the network answers.",
        attention_rollout.attention_rollout,
        "one more forward pass",
        attention_rollout.without_global_attention,
    ),
)

METHODS: Mapping[str, Method] = {
    method.name: method for method in (*_GRADIENTS, *_ACTIVATIONS, *_OWN_PASSES, *_STRUCTURES)
}
FAMILY = (  # out of one forward and one backward pass
    *("saliency", "input_x_gradient"),
    *("grad_cam", "hires_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam"),
)
