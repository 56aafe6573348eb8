"""Composition by Hydra: search path, group options from components, overrides, and errors in our own words."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import __version__ as hydra_version
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from modelway.config.provenance import Layer, file_layer, fresh, origins
from modelway.errors import ConfigError, nearest
from modelway.experiment import SEVERAL, locate
from modelway.plugins import Plugins
from modelway.stages import STAGES
from modelway.workspace import Workspace

#: Hydra 1.3 wants to be told which version's behaviour is meant; 1.4 warns of the very argument.
_BEHAVIOUR = {"version_base": "1.3"} if hydra_version.startswith("1.3.") else {}

#: Hydra's own names for what chooses and sets up a sweep are ours without ``hydra``.
_HYDRA_SWEEP = re.compile(r"^(\+{0,2})hydra[./](?=(?:launcher|sweeper)\b)")


def search_path(project: Path, workspace: Workspace, plugins: Plugins) -> list[Path]:
    """Return where configuration may be, in order of precedence: project, workspace, plugins, framework."""
    folders = [project / "conf", workspace.root / "conf"]
    packages = sorted({plugin.module.partition(".")[0] for plugin in plugins.loaded.values()} - {"modelway", ""})
    for package in [*packages, "modelway"]:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folders.append(Path(location) / "conf")
    return list(dict.fromkeys(folders))


def register(plugins: Plugins) -> None:
    """Make each component an option of its stage's group, so that ``model=xgboost`` selects it."""
    store = ConfigStore.instance()
    for stage, (_, _, key) in STAGES.items():
        store.repo.pop(key, None)  # Hydra's store is the process's: another project may have filled it before
        for name in plugins.names(stage):
            node: dict[str, Any] = {"use": name}
            store.store(group=key, name=name, node={name: node} if stage in SEVERAL and stage != "acquire" else node)


class Composition:
    """A project's tree as Hydra composed it, before interpolations are resolved.

    Attributes:
        watched: The files and folders that it depends on.

    Raises:
        ConfigError: anything wrong with files, groups or overrides.
    """

    def __init__(self, project: Path, overrides: Sequence[str], workspace: Workspace, plugins: Plugins) -> None:
        self.dropped = [text.lstrip("~") for text in overrides if re.fullmatch(r"~\w+", text)]
        overrides = [text for text in overrides if not re.fullmatch(r"~\w+", text)]
        self.project = project
        places = search_path(project, workspace, plugins)
        folders = [place for place in places if place.is_dir()]
        self.watched = [str(place) for place in places if not place.is_dir()]  # one that appears changes it too
        self.watched += [str(p) for folder in folders for p in (folder, *sorted(folder.rglob("*"))) if _relevant(p)]
        for path in self.watched:
            if path.endswith(".yaml"):
                file_layer(Path(path), "")  # Hydra's own message for a broken file names neither file nor line
        register(plugins)
        self._folders = folders
        try:
            with _hydra(folders) as (loader, base):
                given = [*base, *_translate(overrides, base)]
                self.tree = hydra_compose("config", given)
                OmegaConf.set_struct(self.tree, False)  # keys that do not belong are refused later, in better words
                defaults = loader.compute_defaults_list("config", given, RunMode.RUN).defaults
                self.layers = [_layer(default, folders) for default in defaults if not _of_hydra(default)]
                self.keys, self.uses = _override_layer(overrides, base)
        except ConfigError:
            raise
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise _explain(error, overrides, plugins, project) from None

    def options(self, group: str) -> list[str]:
        """Return the options of a group; empty where there is no such group."""
        with _hydra(self._folders) as (loader, base):
            return list(loader.get_group_options(group, None, "config", base))

    def config(self, values: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, str]]:
        """Resolve the tree, with some keys set to values as if by overrides; also returns where each key came from.

        Raises:
            ConfigError: an interpolation that cannot be resolved, or a key that cannot be set.
        """
        keys, uses = dict(self.keys), dict(self.uses)
        for key, value in (values or {}).items():
            for dotted, leaf in _leaves(key, value):
                keys[dotted] = keys[key] = f"override {key}={value}"
                if dotted.endswith(".use"):
                    uses[dotted.removesuffix(".use")] = str(leaf)
        layers = [*self.layers, Layer(keys, uses)]
        origin = origins(layers)
        if "project" not in self.tree:
            OmegaConf.update(self.tree, "project", self.project.resolve().name, force_add=True)
        if "project" not in origin:
            origin["project"] = f"the name of the folder {self.project}"
        try:
            config = self._resolved(values or {})
        except OmegaConfBaseException as error:
            raise _interpolation(error, origin) from None
        assert isinstance(config, dict)
        for key in self.dropped:  # Hydra takes a bare name for a group of the defaults list, which it need not be
            if config.pop(key, None) is None:
                raise ConfigError(
                    f"There is nothing to leave out under '{key}'",
                    where=f"override ~{key}",
                    mend=nearest(key, map(str, config)),
                )
        return fresh(config, layers), origin

    def _resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if any(self._referred(key) or not _inert(value) for key, value in values.items()):
            tree = copy.deepcopy(self.tree)
            for key, value in values.items():
                OmegaConf.update(tree, key, value, merge=True, force_add=True)
            made: Any = OmegaConf.to_container(tree, resolve=True, throw_on_missing=False)
            return made  # type: ignore[no-any-return]  # of a mapping it is a mapping
        config: dict[str, Any] = json.loads(self._plain)
        for key, value in values.items():  # nothing refers to them, so all else is resolved already
            inner = config
            *above, last = key.split(".")
            for name in above:
                inner = inner.setdefault(name, {})
            inner[last] = value
        return config

    @cached_property
    def _plain(self) -> str:
        return json.dumps(OmegaConf.to_container(self.tree, resolve=True, throw_on_missing=False))

    @cached_property
    def _interpolated(self) -> set[str]:
        texts = re.findall(r"\$\{[^}]*", json.dumps(OmegaConf.to_container(self.tree, resolve=False)))
        return {word for text in texts for word in re.findall(r"\w+", text)}

    def _referred(self, key: str) -> bool:
        """Whether an interpolation may mean a key, or stands where it leads through."""
        inner: Any = self.tree
        for name in key.split("."):
            if name in self._interpolated or not OmegaConf.is_dict(inner):
                return True
            if OmegaConf.is_interpolation(inner, name):
                return True
            if name not in inner:
                return False
            inner = inner[name]
        return False


def _inert(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "${" not in value)


@contextmanager
def _hydra(folders: Sequence[Path]) -> Iterator[tuple[Any, list[str]]]:
    """Open Hydra on configuration folders; gives its loader, and the override that names all folders but the first."""
    extra = ",".join(f"'file://{folder}'" for folder in folders[1:])
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(folders[0].resolve()), **_BEHAVIOUR):
            yield GlobalHydra.instance().config_loader(), [f"hydra.searchpath=[{extra}]"]
    finally:
        GlobalHydra.instance().clear()


def compose_with_hydra(
    project: Path, overrides: Sequence[str], workspace: Workspace, plugins: Plugins
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Compose a project.

    Returns:
        The resolved configuration; where each key came from; the files and folders that it depends on.

    Raises:
        ConfigError: anything wrong with files, groups, overrides or interpolations.
    """
    composition = Composition(project, overrides, workspace, plugins)
    return *composition.config(), composition.watched


def _relevant(path: Path) -> bool:
    return (path.is_dir() and path.name != "__pycache__") or path.suffix == ".yaml"


def _of_hydra(default: Any) -> bool:
    path = default.config_path or ""
    return path == "_dummy_empty_config_" or path.startswith("hydra/") or not path


def _layer(default: Any, folders: Sequence[Path]) -> Layer:
    for folder in folders:
        path = folder / f"{default.config_path}.yaml"
        if path.is_file():
            return file_layer(path, default.package or "")
    group, _, name = (default.config_path or "").rpartition("/")
    node = default.package or ""
    key = node if node == group and group not in _several() else f"{node}.{name}"
    said = f"choice {group}={name}"
    return Layer({node: said, key: said, f"{key}.use": said}, {key: name})


def _several() -> set[str]:
    return {STAGES[stage][2] for stage in SEVERAL if stage != "acquire"}


def _override_layer(overrides: Sequence[str], base: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the command line sets, as keys and uses of one layer: their order means nothing to ``use``."""
    keys, uses = dict[str, str](), dict[str, str]()
    for text, parsed in zip(overrides, parse_overrides(overrides), strict=True):
        key, said = str(parsed.key_or_group), f"override {text}"
        if parsed.is_delete() or _chooses(parsed, base):  # a choice is a layer of its own
            continue
        keys[key] = said
        for dotted, leaf in _leaves(key, parsed.value()):
            keys[dotted] = said
            if dotted.endswith(".use"):
                uses[dotted.removesuffix(".use")] = str(leaf)
    return keys, uses


def _leaves(key: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for inner, v in value.items() for leaf in _leaves(f"{key}.{inner}", v)]
    return [(key, value)]


def parse_overrides(overrides: Sequence[str]) -> list[Any]:
    """Parse Hydra overrides.

    Raises:
        ConfigError: an override that does not follow Hydra's grammar.
    """
    parser = OverridesParser.create()
    parsed = []
    for given in overrides:
        text = _HYDRA_SWEEP.sub(r"\1", given)
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as error:
            detail = (str(getattr(error, "message", "") or error).splitlines() or ["it does not parse"])[0]
            raise ConfigError(
                f"The override '{text}' does not follow Hydra's grammar: {detail}",
                mend="Write key=value; put quotes around a value with special characters",
            ) from None
    return parsed


def _translate(overrides: Sequence[str], base: list[str]) -> list[str]:
    """Let ``key=value`` set any key (unknown ones are refused later, with a better message) and choose any group."""
    loader = GlobalHydra.instance().config_loader()
    listed: set[str] | None = None
    translated = []
    for override in parse_overrides(overrides):
        text, key = override.input_line, str(override.key_or_group)
        if override.is_sweep_override():
            raise ConfigError(f"The override '{text}' names several values", mend="Add -m for a sweep, or quote it")
        if override.is_delete() or override.is_add() or override.is_force_add() or re.match(r"hydra[./]|hydra$", key):
            translated.append(text)
        elif _chooses(override, base):
            if listed is None:
                found = loader.compute_defaults_list("config", base, RunMode.RUN).defaults
                listed = {(d.override_key or "").partition("@")[0] for d in found}
            translated.append(text if key in listed else f"+{text}")
        else:
            translated.append(f"++{text}")
    return translated


def _chooses(override: Any, base: list[str]) -> bool:
    key = str(override.key_or_group)
    return "/" in key or ("." not in key and isinstance(override.value(), (str, list)) and _is_group(key, base))


def _is_group(key: str, base: list[str]) -> bool:
    loader = GlobalHydra.instance().config_loader()
    return bool(key) and (
        key in {stage[2] for stage in STAGES.values()} or bool(loader.get_group_options(key, None, "config", base))
    )


def _interpolation(error: OmegaConfBaseException, origin: dict[str, str]) -> ConfigError:
    key = str(error.full_key or "")
    text = str(error.msg or error).splitlines()[0]
    return ConfigError(
        f"The value of '{key}' cannot be resolved: {text}",
        where=locate(origin, key.replace("[", ".").replace("]", "")),
        mend="Set the key or the environment variable that it refers to",
    )  # fmt: skip


def _explain(error: Exception, overrides: Sequence[str], plugins: Plugins, project: Path) -> ConfigError:
    text = " ".join(str(error).split())
    missing = re.search(r"(?:Could not find|Could not load|In '[^']*': Could not find) '([\w./-]+)/([\w.-]+)'", text)
    if missing:
        group, name = missing.groups()
        stage = next((stage for stage, (_, _, key) in STAGES.items() if key == group), "")
        options = re.search(r"Available options in '[^']*':(.*?)(?:Config search path|$)", text)
        known = options.group(1).split() if options else plugins.names(stage)
        mend = plugins.hint(stage, name, known)
        said = next((o for o in overrides if o.lstrip("+").startswith(f"{group}=")), "")
        return ConfigError(
            f"There is no option '{name}' in group '{group}'",
            where=f"override {said}" if said else str(project / "conf" / "config.yaml"),
            mend=mend,
        )
    text = re.sub(r"\s*(Config search path:|Set the environment variable HYDRA_FULL_ERROR).*", "", text)
    return ConfigError(f"The configuration does not compose: {text.rstrip('.')}", where=str(project / "conf"))
