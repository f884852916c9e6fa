"""What objects a design of the studio may have: those that come with it, and the user's own as far as settings say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from audit.config import AssetConfig, DesignConfig
from audit.schema import ConfigError, show
from scenes.assets import ASSETS
from scenes.design import nearest
from scenes.importing import SUFFIXES
from scenes.scene_spec import OBSTACLES, SHAPES


def check(scene_set: str, design: DesignConfig) -> None:
    """Raise ConfigError for an object, a class or an asset that cannot be. Assets' files are not looked at."""
    key = f"designs.{scene_set}.objects"
    if scene_set != "studio":
        if design.objects:
            raise ConfigError(f"{key}=[{', '.join(design.objects)}]: the scene seed draws the objects of this set")
        if design.classes:
            raise ConfigError(f"designs.{scene_set}.classes: only objects of the studio have classes")
        if design.assets:
            raise ConfigError(f"designs.{scene_set}.assets: objects of your own are shown in the studio alone")
        return
    for name, asset in design.assets.items():
        _check_asset(f"designs.studio.assets.{name}", name, asset)
    available = [*ASSETS, *design.assets]
    for thing, right in design.classes.items():
        if thing not in available:
            raise ConfigError(f"designs.studio.classes.{thing}: there is no such object; {nearest(thing, available)}")
        _check_classes(f"designs.studio.classes.{thing}", right)
    if not design.objects:
        raise ConfigError(f"{key}=[]: at least one object is needed; valid: {', '.join(sorted(available))}")
    for name in design.objects:
        if name not in available:
            raise ConfigError(f"{key}=[{name}]: there is no such object; {nearest(name, available)}")
    if design.assets and not set(design.assets) & set(design.objects):
        shown = ",".join([*design.objects, *design.assets])
        raise ConfigError(f"{key}: names none of designs.studio.assets, so none would be shown; {key}=[{shown}]")
    if len(set(design.objects)) != len(design.objects):
        raise ConfigError(f"{key}=[{', '.join(design.objects)}]: an object is named twice")


def _check_asset(key: str, name: str, asset: AssetConfig) -> None:
    """What can be said of a user's own asset without reading its file."""
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ConfigError(f"{key}: the name of an object is made of letters, digits and _")
    if name in (*ASSETS, *SHAPES, *OBSTACLES):
        raise ConfigError(f"{key}: there is an object of this name already; choose another, for instance my_{name}")
    if not asset.path:
        raise ConfigError(f"{key}.path has to be given: a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    if Path(asset.path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{key}.path={asset.path}: a file of this kind cannot be shown; valid: {', '.join(SUFFIXES)}")
    if not asset.classes:
        raise ConfigError(
            f"{key}.classes has to be given: the ImageNet classes that are right for it, by name or index"
        )
    _check_classes(f"{key}.classes", asset.classes)
    if asset.unusual is not None and not re.fullmatch(r"[0-9a-fA-F]{6}", asset.unusual):
        raise ConfigError(f"{key}.unusual={asset.unusual}: a colour is six hexadecimal digits, for instance 2a50d0")


def _check_classes(key: str, right: Sequence[object]) -> None:
    if not right:
        raise ConfigError(f"{key}=[]: at least one class has to count as right")
    for value in right:
        if type(value) not in (str, int):
            raise ConfigError(f"{key}=[{show(value)}]: a class is a name or an index")
