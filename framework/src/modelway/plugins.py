"""Plugins: found by entry point, loaded one by one, checked, and isolated.

A broken plugin is listed as broken and stops only an experiment that uses it. The manager is an object that is passed,
never a global. ``MODELWAY_PLUGINS=a,b`` narrows what is loaded, ``MODELWAY_TRACE=1`` prints each hook call.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pluggy

from modelway import builtin, hookspecs
from modelway.component import Component, build
from modelway.context import Event
from modelway.errors import PluginError, nearest, raised_at
from modelway.hookspecs import NAMESPACE, OBSERVERS
from modelway.stages import CONTRACT, STAGES

#: First-party distributions by what they offer, for the hint when one is not installed.
OFFERED_BY = {
    ("acquire", "files"): "modelway-files",
    ("acquire", "sklearn"): "modelway-files",
    ("validate", "pandera"): "modelway-pandera",
    ("train", "xgboost"): "modelway-xgboost",
    ("train", "lightgbm"): "modelway-lightgbm",
    ("train", "sklearn"): "modelway-sklearn",
    ("package", "bentoml"): "modelway-bentoml",
    ("compute", "local"): "modelway-dask",
    ("compute", "cluster"): "modelway-dask",
}


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: name, version, and its entry points for Modelway (name to module)."""

    name: str
    version: str
    entry_points: tuple[tuple[str, str], ...] = ()


def normal(name: str) -> str:
    """Return a distribution's name in the form in which names are compared."""
    return name.lower().replace("_", "-").replace(".", "-")


@cache
def installed() -> dict[str, Distribution]:
    """Return the installed distributions by normal name; the first on ``sys.path`` wins.

    Reads folder names and entry points only: importlib.metadata costs 50 ms to import, more than a cached run's plan.
    """
    found: dict[str, Distribution] = {}
    for folder in sys.path:
        try:
            entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(".dist-info"):
                name, _, version = entry.name.removesuffix(".dist-info").partition("-")
                points = tuple(_entry_points(Path(entry.path) / "entry_points.txt"))
                found.setdefault(normal(name), Distribution(normal(name), version, points))
    return found


def _entry_points(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif group == NAMESPACE and "=" in line:
            name, _, module = line.partition("=")
            yield name.strip(), module.strip()


@dataclass
class Loaded:
    """One plugin as loaded: where it comes from, what it offers, or why it is broken."""

    name: str
    distribution: str
    version: str
    module: str = ""
    components: list[type[Component]] = field(default_factory=list)
    observers: list[str] = field(default_factory=list)
    broken: str = ""


class Plugins:
    """The components and observers of the loaded plugins.

    Args:
        only: Entry-point names to load; None loads all that ``MODELWAY_PLUGINS`` allows.
        inline: A project's ``plugin.py``, if it has one.
        disabled: Entry-point names to leave out.
    """

    def __init__(
        self, only: Iterable[str] | None = None, inline: Path | None = None, disabled: Iterable[str] = ()
    ) -> None:
        self._manager = pluggy.PluginManager(NAMESPACE)
        self._manager.add_hookspecs(hookspecs)
        self._traced = bool(os.environ.get("MODELWAY_TRACE"))
        self.loaded: dict[str, Loaded] = {}
        self._offers: dict[tuple[str, str], list[tuple[type[Component], Loaded]]] = {}
        narrowed = os.environ.get("MODELWAY_PLUGINS")
        wanted = set(only) if only is not None else {name.strip() for name in narrowed.split(",")} if narrowed else None
        self._add(Loaded("builtin", "modelway", "", "modelway.builtin"), builtin)
        for distribution in installed().values():
            for name, module in distribution.entry_points:
                if (wanted is None or name in wanted) and name not in disabled:
                    self._load(Loaded(name, distribution.name, distribution.version, module))
        if inline is not None and inline.is_file():
            self._load_inline(inline)

    def _load(self, plugin: Loaded) -> None:
        try:
            module = importlib.import_module(plugin.module)
        except (Exception, SystemExit) as error:
            self._break(plugin, f"its import failed: {_told(error)}")
            return
        self._add(plugin, module)

    def _load_inline(self, path: Path) -> None:
        name = "modelway_project_" + "".join(c if c.isalnum() else "_" for c in path.parent.name)
        plugin = Loaded("project", str(path), "", name)
        spec = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            self._break(plugin, f"its import failed: {_told(error)}")
            return
        self._add(plugin, module)
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, Component) and item.__module__ == name and item.name:
                self._offer(item, plugin)

    def _break(self, plugin: Loaded, why: str) -> None:
        plugin.broken = why
        taken = self.loaded.get(plugin.name, plugin) is not plugin
        self.loaded[f"{plugin.name} ({plugin.distribution})" if taken else plugin.name] = plugin

    def _add(self, plugin: Loaded, module: Any) -> None:
        needs = getattr(module, "CONTRACT", CONTRACT)
        if needs > CONTRACT:
            self._break(plugin, f"it is made for contract {needs} and this Modelway has {CONTRACT}: upgrade modelway")
            return
        other = self.loaded.get(plugin.name)
        if other is not None:
            self._break(
                plugin, f"{other.distribution} has an entry point '{plugin.name}' too: one of them needs another name"
            )
            return
        if self._manager.is_registered(module):
            self._break(plugin, f"another entry point loads its module {plugin.module} already")
            return
        self._manager.register(module, plugin.name)
        self.loaded[plugin.name] = plugin
        for caller in self._manager.get_hookcallers(module) or ():
            if caller.spec is None:
                self._manager.unregister(module)
                hooks = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "modelway_spec")]
                self._break(
                    plugin, f"it implements a hook '{caller.name}' that does not exist. {nearest(caller.name, hooks)}"
                )
                return
        for _, hook, _ in STAGES.values():
            for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                if implementation.plugin is module:
                    self._collect(plugin, hook, implementation.function)
        for observer in OBSERVERS:
            if any(i.plugin is module for i in getattr(self._manager.hook, observer).get_hookimpls()):
                plugin.observers.append(observer)

    def _collect(self, plugin: Loaded, hook: str, function: Any) -> None:
        self._trace(hook, plugin.name)
        try:
            for component in function():
                self._offer(component, plugin)
        except Exception as error:
            plugin.broken = f"its hook '{hook}' failed: {_told(error)}"

    def _offer(self, component: Any, plugin: Loaded) -> None:
        fault = _fault(component)
        if fault:
            plugin.broken = f"{getattr(component, '__name__', component)} {fault}"
            return
        component.distribution = plugin.distribution
        known = self._offers.setdefault((component.stage, component.name), [])
        if all(other is not component for other, _ in known):
            known.append((component, plugin))
            plugin.components.append(component)

    def _trace(self, hook: str, plugin: str) -> None:
        # Each implementation is called on its own, so that one that raises loses no other's answer: pluggy sees none
        if self._traced:
            print(f"hook {hook} {plugin}", file=sys.stderr)

    def names(self, stage: str) -> list[str]:
        """Return the names of a stage's components, sorted."""
        return sorted(name for where, name in self._offers if where == stage)

    def get(self, stage: str, name: str, where: str = "") -> type[Component]:
        """Return a component class.

        Raises:
            PluginError: nothing of that name, or two plugins that both offer it.
        """
        offers = self._offers.get((stage, name), [])
        if len(offers) == 1:
            return offers[0][0]
        word = STAGES[stage][0].__name__.lower()
        if len(offers) > 1:
            both = " and ".join(f"{plugin.distribution} ({plugin.name})" for _, plugin in offers)
            raise PluginError(
                f"Two plugins offer the {word} '{name}': {both}", where=where,
                mend="Uninstall one, or leave it out with MODELWAY_PLUGINS",
            )  # fmt: skip
        raise PluginError(f"No {word} is named '{name}'", where=where, mend=self.hint(stage, name))

    def hint(self, stage: str, name: str, more: Iterable[str] = ()) -> str:
        """Return what to do about a component that nothing offers.

        Args:
            stage: The stage.
            name: The name that was asked for.
            more: Names that are known besides those of components.
        """
        distribution = OFFERED_BY.get((stage, name))
        if distribution and normal(distribution) not in installed():
            return f"Install {distribution}"
        near = nearest(name, [*self.names(stage), *more])
        broken = [f"{p.name} ({p.distribution}): {p.broken}" for p in self.loaded.values() if p.broken]
        if not broken or near.startswith("Did you mean"):
            return near
        return f"A plugin that is broken may offer it: {'; '.join(broken)}"

    def component(self, stage: str, use: str, config: dict[str, Any]) -> Any:
        """Build a component from its name and configuration, as an artifact recorded them."""
        return build(self.get(stage, use), config, STAGES[stage][2])

    def notify(self, event: Event) -> None:
        """Tell the observers, in the order of their plugins' names; one that raises is a warning."""
        implementations = getattr(self._manager.hook, event.kind).get_hookimpls()
        for implementation in sorted(implementations, key=lambda i: i.plugin_name):
            self._trace(event.kind, implementation.plugin_name)
            try:
                implementation.function(event)
            except Exception as error:
                text = f"The observer {implementation.plugin_name} failed at {event.kind}: {error}"
                warnings.warn(text, RuntimeWarning, stacklevel=2)


def _told(error: BaseException) -> str:
    place = "" if isinstance(error, SyntaxError) else raised_at(error)  # which says where it is itself
    return f"{type(error).__name__}: {error}" + (f" at {place}" if place else "")


class _Fresh(SourceFileLoader):
    """Compiles the source each time: kept bytecode tells changes by the second only, and may be of the code before."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _fault(component: Any) -> str:
    if not (isinstance(component, type) and issubclass(component, Component)):
        return "is not a component class"
    if not component.name:
        return "has no name: write class X(Base, name='x')"
    if component.stage not in STAGES:
        return f"has an unknown stage '{component.stage}'"
    if inspect.isabstract(component):
        missing = ", ".join(sorted(getattr(component, "__abstractmethods__", ())))
        return f"does not implement {missing}"
    params = getattr(component, "__dataclass_params__", None)
    if params is None or not dataclasses.is_dataclass(component) or not params.frozen:
        return "is not a frozen dataclass"
    return ""
