"""Composition of a configuration: files and what was typed -> a checked `AuditConfig`. The one place that uses Hydra.

Hydra picks the files; what is typed for a single setting is applied here, so that text is taken as typed
(`model.checkpoint=epoch=3.safetensors`, `~/a file`) and every message names the key as the user wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_origin

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from audit import constraints, schema
from audit.config import PICTURES, SCENE_SETS, AuditConfig, DesignConfig, ModelConfig, PathsConfig
from audit.schema import ConfigError
from scenes.design import nearest

__all__ = ["ConfigError", "compose", "defaults", "dump", "groups", "store_of"]

PACKAGE = "hydra_configs"
PATHS = ("paths.store", "paths.outputs", "paths.baselines", "training.checkpoint")
# group -> where its files land, each under a name of its own: of these groups several files may be chosen
PLURAL = {"model": "models", "design": "designs"}
# group -> the first line of its files, where composition needs one
HEADERS = {
    "model": "# @package models.<name>",
    "design": "# @package designs.<scene set>",
    "experiment": "# @package _global_",
}


@dataclass(frozen=True)
class Override:
    """One `key=value` as typed; `value` is None where the setting is taken away (`~key`)."""

    text: str
    key: str
    value: str | None


def compose(overrides: Sequence[str] = (), config_dir: Path | None = None) -> AuditConfig:
    """The checked configuration that `overrides` ask for.

    overrides: `group=name`, `model=[a,b]`, `key=value`, `~key`; `model.K=V` means the only model, `design.K=V` the only
    design that some chosen model sees. A design that none sees is left out. config_dir: a folder
    laid out like hydra_configs/, whose files are found beside ours. Raises ConfigError, one line each.
    """
    available = groups(config_dir)
    typed = [_parse(text) for text in overrides]
    selected = {o.key: _selection(o, available) for o in typed if o.key in available}
    config = _composed(selected, config_dir)
    _check_places(config, selected, config_dir)
    settings = [o for o in typed if o.key not in available]
    names = {"model": [str(name) for name in config.get("models", {})]}
    for override in (o for o in settings if _is_of_a_model(o)):
        _apply(config, override, names, available)
    names["design"] = _shown(config, names)
    for override in (o for o in settings if not _is_of_a_model(o)):
        _apply(config, override, names, available)
    try:
        whole = schema.convert(_resolved(config), AuditConfig, "")
        return _finished(whole, selected.get("experiment", ["default"])[0], names["design"])
    except ConfigError as error:
        raise ConfigError(_as_typed(str(error), names)) from error


def defaults() -> dict[str, Any]:
    """The default configuration as plain values, unchecked: nothing of torch is loaded."""
    return _resolved(_composed({}, None))


def dump(config: AuditConfig) -> str:
    """The configuration as YAML, resolved; paths below the current folder relative, below the home folder with ~."""
    plain = asdict(config)
    for key in PATHS:
        group, name = key.split(".")
        if plain[group][name] is not None:
            plain[group][name] = _portable(plain[group][name])
    for plural, name in (("models", "checkpoint"), ("designs", "pictures")):
        for part in plain[plural].values():
            if part[name] is not None:
                part[name] = _portable(part[name])
    for asset in (a for design in plain["designs"].values() for a in design["assets"].values()):
        asset["path"] = _portable(asset["path"])
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110))


def store_of(run_dir: Path) -> str:
    """The render store that a run used, out of its config.yaml. Raises ConfigError."""
    path = run_dir / "config.yaml"
    try:
        return _expanded(str(yaml.safe_load(path.read_text("utf-8"))["paths"]["store"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} does not say which store the run used; give it with paths.store=DIR") from error


def groups(config_dir: Path | None = None) -> dict[str, dict[str, str]]:
    """group -> name -> what its file says it is (its first comment), shipped ones and those of `config_dir`.

    Raises ConfigError where `config_dir` is no folder or holds a file that one of ours would hide.
    """
    found: dict[str, dict[str, str]] = {}
    for folder in files(PACKAGE).iterdir():
        shipped = [f for f in folder.iterdir() if f.name.endswith(".yaml")] if folder.is_dir() else []
        if shipped:
            found[folder.name] = {f.name.removesuffix(".yaml"): _headline(f.read_text("utf-8")) for f in shipped}
    if config_dir is None:
        return found
    if not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: there is no such folder")
    for group, options in found.items():
        for path in sorted((config_dir / group).glob("*.yaml")):
            if path.stem in options:
                raise ConfigError(f"{path} has the name of a shipped file, which would hide it; rename it")
            options[path.stem] = _headline(path.read_text("utf-8"))
    return found


def _headline(text: str) -> str:
    lines = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    return next((line for line in lines if not line.startswith("@package")), "")


def _parse(text: str) -> Override:
    if text.startswith("~") and "/" not in text.partition("=")[0]:
        return Override(text, text[1:].partition("=")[0], None)
    key, equals, value = text.lstrip("+").partition("=")
    if not equals:
        raise ConfigError(f"{text!r} is not a setting; settings are written key=value")
    return Override(text, key, value)


def _selection(override: Override, available: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The names chosen for a group. Only models and designs may be several."""
    group, options = override.key, available[override.key]
    if override.value is None:
        raise ConfigError(f"{override.text}: {group} cannot be left out; {group}=NAME takes another one")
    names = [n.strip() for n in override.value.strip("[] ").split(",") if n.strip()]
    if not names or (len(names) > 1 and group not in PLURAL):
        several = " or several" if group in PLURAL else ""
        raise ConfigError(f"{override.text}: {group} takes one name{several}; {nearest('', options)}")
    for name in names:
        if name not in options:
            raise ConfigError(f"{group}={name}: there is no such {group}; {nearest(name, options)}")
    return names


def _composed(selected: Mapping[str, Sequence[str]], config_dir: Path | None) -> DictConfig:
    choices = [f"{g}=[{','.join(n)}]" if len(n) > 1 else f"{g}={n[0]}" for g, n in selected.items()]
    if config_dir is not None:
        quoted = config_dir.resolve().as_posix().replace("'", "\\'")
        choices.append(f"hydra.searchpath=['file://{quoted}']")
    try:
        with initialize_config_module(PACKAGE, version_base="1.3"):
            config = hydra_compose("config", overrides=choices)
        OmegaConf.set_struct(config, False)
        return config
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"{' '.join(choices)}: {_one_line(error)}") from error


def _check_places(config: DictConfig, selected: Mapping[str, Sequence[str]], config_dir: Path | None) -> None:
    """Every model and design lies under its own name.

    A file of the user's own that lacks its first line lands in the wrong place; say which line.
    """
    for group, first in HEADERS.items():
        if OmegaConf.is_dict(config.get(group)):
            own = [f"{group}/{n}.yaml" for n in selected.get(group, ()) if config_dir and _is_in(config_dir, group, n)]
            place = (
                f"{group}: an experiment sets these under {first.removeprefix('# @package ')}, and a file in {group}/"
            )
            raise ConfigError(f"{', '.join(own) or place} has to begin with the line '{first}'")
    whole: Any = OmegaConf.to_container(config)
    for group, plural in PLURAL.items():
        parts = whole.get(plural, {})
        if not isinstance(parts, dict):
            raise ConfigError(f"{plural}={schema.show(parts)}: expected names with values, {{name: value}}")
        for name, part in parts.items():
            if not isinstance(part, dict):
                raise ConfigError(f"{plural}.{name}={schema.show(part)}: this is a group of settings, not a single one")
        chosen = list(dict.fromkeys(selected.get(group, ())))
        if len(chosen) > len(parts):
            raise ConfigError(
                f"{group}=[{','.join(chosen)}]: two of these files begin with the same '# @package' line, so that one"
                " would only change the other; leave one out"
            )


def _is_in(config_dir: Path, group: str, name: str) -> bool:
    return (config_dir / group / f"{name}.yaml").is_file()


def _apply(
    config: DictConfig, override: Override, names: Mapping[str, Sequence[str]], available: Mapping[str, Any]
) -> None:
    """Apply one typed setting to the composed configuration."""
    try:
        key = _of_the_only_one(override.key, names)
        kind = schema.kind_of(key)
    except KeyError:
        raise _unknown(override, config, available) from None
    for group, chosen in names.items():
        if key.startswith(f"{PLURAL[group]}.") and key.split(".")[1] not in chosen:
            known = [*chosen, *(config.get(PLURAL[group]) or {})]
            if key.split(".")[1] not in known:
                raise ConfigError(f"{override.key}: no such {group} is chosen; {nearest(key.split('.')[1], chosen)}")
    if override.value is None:
        _take_away(config, key, override)
        return
    value = _value(override, kind)
    schema.convert(value, kind, override.key)
    OmegaConf.update(config, key, _escaped(value), merge=True, force_add=True)


def _value(override: Override, kind: Any) -> object:
    """What was typed, read as its setting's type asks: text verbatim, the rest in Hydra's grammar."""
    typed = override.value or ""
    if schema.is_text(kind):
        if typed == "null" and kind is not str:
            return None
        quoted = len(typed) > 1 and typed[0] == typed[-1] and typed[0] in "'\""
        return typed[1:-1] if quoted else typed
    try:
        parsed = OverridesParser.create().parse_override(f"value={typed}")
        value = parsed.value()
    except HydraException as error:
        hint = "lists are written [a,b]" if "[" in typed or "," in typed else "quote what is not a plain word or number"
        raise ConfigError(f"{override.text}: cannot be read; {hint}") from error
    if parsed.is_sweep_override():
        hint = f"lists are written [{typed}]" if get_origin(kind) is list else "this setting takes one value"
        raise ConfigError(f"{override.text}: {hint}")
    return value


def _escaped(value: object) -> object:
    """Text as OmegaConf takes it literally: a file name may hold what looks like an interpolation."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def _take_away(config: DictConfig, key: str, override: Override) -> None:
    owner, _, name = key.rpartition(".")
    parent = OmegaConf.select(config, owner) if owner else config
    if not OmegaConf.is_dict(parent) or name not in parent:
        raise ConfigError(f"{override.text}: there is no {override.key} to take away")
    del parent[name]


def _is_of_a_model(override: Override) -> bool:
    """These come first: what the models are asked decides which designs they see."""
    return override.key.split(".")[0] in ("model", "models")


def _shown(config: DictConfig, names: Mapping[str, Sequence[str]]) -> list[str]:
    """The chosen designs that some chosen model will see; all of them where that is none. Raises ConfigError."""
    chosen = [str(name) for name in config.get("designs", {})]
    if PICTURES in chosen and len(chosen) > 1:
        raise ConfigError(
            f"design=[{','.join(chosen)}]: pictures have no ground truth and are audited alone, design={PICTURES}"
        )
    seen = {PICTURES}
    for name, model in config.get("models", {}).items():
        task = OmegaConf.select(model, "task", default=ModelConfig.task)
        if isinstance(task, str) and task not in SCENE_SETS:
            raise ConfigError(_as_typed(f"models.{name}.task={task}: {nearest(task, SCENE_SETS)}", names))
        seen.add(SCENE_SETS[task] if isinstance(task, str) else "")
    return [name for name in chosen if name in seen or not _is_scene_set(name)] or chosen


def _is_scene_set(name: str) -> bool:
    return name == PICTURES or name in SCENE_SETS.values()


def _of_the_only_one(key: str, names: Mapping[str, Sequence[str]]) -> str:
    """`model.K` as `models.<name>.K`, which only says something when one model is chosen; `design.K` likewise.

    Raises ConfigError; KeyError where no model or design has such a setting.
    """
    group, _, rest = key.partition(".")
    if group not in PLURAL or not rest:
        return key
    chosen = names[group]
    if len(chosen) != 1:
        schema.kind_of(f"{PLURAL[group]}.*.{rest}")
        choices = " or ".join(f"{PLURAL[group]}.{name}.{rest}" for name in chosen)
        raise ConfigError(f"{key}: {len(chosen)} {group}s are chosen; say which one: {choices}")
    return f"{PLURAL[group]}.{chosen[0]}.{rest}"


def _unknown(override: Override, config: DictConfig, available: Mapping[str, Any]) -> ConfigError:
    known = [key for key, _ in schema.fields()]
    designs = config.get("designs", {}).values()
    known += [f"design.factors.{name}" for design in designs for name in _names_in(design, "factors")]
    tails = {key.rsplit(".", 1)[-1] for key in known}
    if (
        "." not in override.key
        and override.key not in tails
        and (close := nearest(override.key, available)).startswith("did you mean")
    ):
        return ConfigError(f"{override.key}: there is no such group; {close}")
    return schema.unknown_key(override.key, known)


def _names_in(owner: DictConfig, key: str) -> list[str]:
    inner = OmegaConf.select(owner, key)
    return [str(name) for name in inner] if OmegaConf.is_dict(inner) else []


def _resolved(config: DictConfig) -> dict[str, Any]:
    try:
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"the configuration cannot be resolved: {_one_line(error)}") from error
    assert isinstance(container, dict)
    return {str(k): v for k, v in container.items()}


def _finished(config: AuditConfig, experiment: str, shown: Sequence[str]) -> AuditConfig:
    """With names filled in and ~ expanded, without the designs that no model sees, and checked."""
    for name, model in config.models.items():
        if model.name not in (name, ModelConfig.name):
            raise ConfigError(f"models.{name}.name={model.name}: a model is named by its key, models.NAME")
    models = {
        name: replace(model, name=name, checkpoint=model.checkpoint and _expanded(model.checkpoint))
        for name, model in config.models.items()
    }
    found = replace(
        config,
        experiment=experiment,
        models=models,
        paths=PathsConfig(**{name: _expanded(path) for name, path in asdict(config.paths).items()}),
        training=replace(config.training, checkpoint=_expanded(config.training.checkpoint)),
        designs={
            name: _with_paths(design)
            for name, design in config.designs.items()
            if name in shown or not _is_scene_set(name)  # that one is refused below
        },
    )
    constraints.check(found)
    return found


def _with_paths(design: DesignConfig) -> DesignConfig:
    assets = {name: replace(asset, path=_expanded(asset.path)) for name, asset in design.assets.items()}
    return replace(design, pictures=design.pictures and _expanded(design.pictures), assets=assets)


def _expanded(path: str) -> str:
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _portable(path: str) -> str:
    if not Path(path).is_absolute():
        return path
    for root, sign in ((Path.cwd(), "."), (Path.home(), "~")):
        if Path(path).is_relative_to(root):
            return (Path(sign) / Path(path).relative_to(root)).as_posix()
    return path


def _as_typed(message: str, names: Mapping[str, Sequence[str]]) -> str:
    for group, chosen in names.items():
        if len(chosen) == 1:
            message = message.replace(f"{PLURAL[group]}.{chosen[0]}.", f"{group}.")
    return message


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()
