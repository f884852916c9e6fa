"""The thousand classes of ImageNet-1k, by the names and in the order that torchvision's weights carry with them."""

from __future__ import annotations

import re
from functools import cache

from audit.models.errors import ModelError, nearest


@cache
def class_names() -> tuple[str, ...]:
    """The name of each class, by index."""
    from torchvision.models import ResNet18_Weights  # here, because it takes seconds to load

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def class_index(text: str) -> int:
    """The index that `text` means: itself where it is a number, else that of the class of this name.

    Case and the difference between a space and an underscore do not count. Raises ModelError: a name that no class or
    more than one has, an index that is none.
    """
    names = class_names()
    if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        index = int(text)
        if not 0 <= index < len(names):
            raise ModelError(f"class {text.strip()}: ImageNet's classes are numbered 0 to {len(names) - 1}")
        return index
    wanted = _key(text)
    found = [index for index, name in enumerate(names) if _key(name) == wanted]
    if not found:
        known = {_key(name): name for name in names}
        raise ModelError(f"class {text!r}: ImageNet has none of this name; {_nearest(wanted, known)}")
    if len(found) > 1:
        same = " and ".join(str(index) for index in found)
        raise ModelError(f"class {text!r}: {len(found)} classes of ImageNet have this name; give an index, {same}")
    return found[0]


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


def _nearest(wanted: str, known: dict[str, str]) -> str:
    """The nearest names as ImageNet spells them."""
    hint = nearest(wanted, known)
    if not hint.startswith("did you mean "):
        return "give its index, 0 to 999, or one of torchvision's category names"
    keys = hint.removeprefix("did you mean ").removesuffix("?").split(" or ")
    return f"did you mean {' or '.join(known.get(key, key) for key in keys)}?"
