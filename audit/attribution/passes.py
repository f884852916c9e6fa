"""The pass that all methods share: one forward, one backward, and one more backward for each rule on rectifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from audit.attribution.network import Network, Rule, kept_output, rectified_by
from audit.attribution.targets import Scalar, Target
from audit.config import MethodSettings

# What a method needs of the pass; each is computed once, for all methods that need it.
PICTURE_GRADIENT, LAYER, LAYER_GRADIENT = "picture_gradient", "layer", "layer_gradient"
GUIDED, DECONVOLVED = "guided", "deconvolved"

RULES: dict[str, Rule] = {
    # Springenberg et al. 2015, section 3.4: what is negative above or was negative below is cut off
    GUIDED: lambda found, above: found.clamp(min=0),
    # Zeiler and Fergus 2014, section 2.1: the gradient itself is rectified, whatever lay below
    DECONVOLVED: lambda found, above: above.clamp(min=0),
}


@dataclass(frozen=True)
class Pass:
    """What one batch left behind, on the network's device; what no method needed is None.

    pictures: (B, 3, H, W), where gradients end: the network's own input, or the pixels before normalisation.
    logits: (B, K), and value (B,), the target of each. picture_gradient, guided, deconvolved: (B, 3, H, W), the
    gradient of the target at the pictures, plain and by each rule on rectifiers. activation, activation_gradient:
    (B, C, h, w), the target layer's output, however it lay. rows: the pictures' numbers.
    grey: what a removed pixel becomes, one number or (1, 3, 1, 1), a number per channel: middle grey, or what the
    network is fed of it where gradients end at its input. Methods with passes of their own ask by `scores` and
    `gradients`, `batch` pictures at a time.
    """

    network: Network
    target: Target
    rows: Sequence[int]
    pictures: torch.Tensor
    logits: torch.Tensor
    value: torch.Tensor
    picture_gradient: torch.Tensor | None
    guided: torch.Tensor | None
    deconvolved: torch.Tensor | None
    activation: torch.Tensor | None
    activation_gradient: torch.Tensor | None
    grey: torch.Tensor | float
    batch: int
    settings: MethodSettings

    def scores(self, pictures: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        """(n,) the target of altered copies (n, 3, H, W), copy i of picture of[i] of this batch, without gradient.

        What a target chose on the picture as it is, such as the predicted class, it keeps.
        """
        found = [self.value.new_empty(0)]
        with torch.no_grad():
            for start in range(0, len(pictures), self.batch):
                part = slice(start, start + self.batch)
                found.append(self.scalar_of(of[part])(self.network.logits(pictures[part])))
        return torch.cat(found)

    def gradients(self, pictures: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        """(n, 3, H, W), the target's gradient at altered copies of pictures, as `scores` takes them."""
        found = [self.pictures.new_empty((0, *self.pictures.shape[1:]))]
        with torch.enable_grad():
            for start in range(0, len(pictures), self.batch):
                part = slice(start, start + self.batch)
                leaf = pictures[part].detach().requires_grad_()
                value = self.scalar_of(of[part])(self.network.logits(leaf))
                found += gradients_at(value, [leaf])
        return torch.cat(found)

    def scalar_of(self, of: torch.Tensor) -> Scalar:
        """The target bound to pictures of this batch by their places in it, any number of times each."""
        places = of.tolist()
        return self.target(self.logits[places], [self.rows[place] for place in places])


def shared_pass(
    network: Network,
    pictures: torch.Tensor,
    target: Target,
    rows: Sequence[int],
    needs: frozenset[str],
    settings: MethodSettings | None = None,
    grey: torch.Tensor | float = 0.0,
    batch: int = 64,
) -> Pass:
    """Differentiate `target` of pictures (B, 3, H, W), row by row, at the places that `needs` names.

    No weight gradients are computed and no `.grad` is written. Where the target does not depend on picture or layer,
    the gradient is zero. The module should be frozen and in evaluation mode, so that rows do not see each other.
    """
    to_pictures = bool(needs & {PICTURE_GRADIENT, GUIDED, DECONVOLVED})
    to_layer = bool(needs & {LAYER, LAYER_GRADIENT})
    rules = [name for name in RULES if name in needs]
    with torch.set_grad_enabled(to_pictures or LAYER_GRADIENT in needs):
        leaf = pictures.detach().requires_grad_(to_pictures)
        activation = None
        if to_layer:
            if network.layer is None:
                raise ValueError("the network has no target layer")
            with kept_output(network.layer) as kept:
                logits = network.logits(leaf)
            activation = kept[-1]  # of a layer that runs several times, the last run
        else:
            logits = network.logits(leaf)
        scalar = target(logits.detach(), rows)
        value = scalar(logits)
        places = [leaf] if PICTURE_GRADIENT in needs else []
        places += [activation] if activation is not None and LAYER_GRADIENT in needs else []
        plain = gradients_at(value, places, bool(rules)) if needs & {PICTURE_GRADIENT, LAYER_GRADIENT} else []
        ruled = {}
        for rule in rules:
            with rectified_by(RULES[rule], value):
                ruled[rule] = gradients_at(value, [leaf], rule != rules[-1])[0]
    layer_gradient = plain[-1] if LAYER_GRADIENT in needs else None
    layout = network.layout
    return Pass(
        network=network,
        target=target,
        rows=rows,
        pictures=leaf.detach(),
        logits=logits.detach(),
        value=value.detach(),
        picture_gradient=plain[0] if PICTURE_GRADIENT in needs else None,
        guided=ruled.get(GUIDED),
        deconvolved=ruled.get(DECONVOLVED),
        activation=None if activation is None else layout.maps(activation.detach()).float(),
        activation_gradient=None if layer_gradient is None else layout.maps(layer_gradient).float(),
        grey=grey,
        batch=batch,
        settings=settings or MethodSettings(),
    )


def gradients_at(value: torch.Tensor, places: Sequence[torch.Tensor], again: bool = False) -> list[torch.Tensor]:
    """Of the sum of `value` at each place; zeros where it does not depend on it. again: the graph is needed again."""
    places = recorded(places)
    found: Sequence[torch.Tensor | None] = [None] * len(places)
    if value.requires_grad:
        found = torch.autograd.grad(value.sum(), places, retain_graph=again, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(places, found, strict=True)]


def recorded(places: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """`places` to differentiate at; in place of what a network did without recording it, something of no influence."""
    return [place if place.requires_grad else place.detach().requires_grad_() for place in places]
