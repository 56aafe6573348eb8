"""What every component must keep to, whatever its stage."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from modelway.component import Component, build
from modelway.errors import ModelwayError
from modelway.schema import Task
from modelway.stages import STAGES
from modelway.testing.make import make_run
from modelway.values import Category, Columns, Directory, Table, Value

#: Libraries that a component's module may not import before one of its methods runs.
HEAVY = (
    "numpy", "pandas", "pyarrow", "sklearn", "xgboost", "dask", "distributed", "onnxruntime", "bentoml", "pandera",
    "optuna",
)  # fmt: skip


class ComponentSuite:
    """Checks of one component; a stage's own suite adds to them.

    Subclass the stage's suite, name the class ``Test...``, and set ``component``, or override ``make`` where the
    component needs files below the test's folder.

    Attributes:
        component: The component under test.
        config: The declared schema, as a project's configuration would give it.
        task: Task of the run.
        knobs: Other values of the component's knobs; the result must not depend on them.
        tolerance: Largest relative difference between numbers that must agree.
    """

    component: ClassVar[Any] = None
    config: ClassVar[Mapping[str, Any]] = {"columns": {}}
    task: ClassVar[Task] = "binary"
    knobs: ClassVar[Mapping[str, Any]] = {}
    tolerance: ClassVar[float] = 1e-9

    def make(self, folder: Path) -> Any:
        """Return the component under test; ``folder`` is the test's own."""
        return self.component

    def run(self, folder: Path, **more: Any) -> Any:
        """Return a run below ``folder``."""
        return make_run(folder, **{"schema": self.config, "task": self.task, **more})

    def built(self, folder: Path) -> Any:
        """Return the component as the framework would build it, from its own configuration."""
        component = self.make(folder)
        return build(type(component), json.loads(json.dumps(component.config())))

    def test_is_a_frozen_dataclass_with_keyword_fields(self, tmp_path: Path) -> None:
        """A component that can change after planning would no longer be what was fingerprinted."""
        cls = type(self.make(tmp_path))
        assert "__dataclass_fields__" in vars(cls), f"{cls.__name__} lacks @dataclass(frozen=True, kw_only=True)"
        assert cls.__dataclass_params__.frozen, f"{cls.__name__} is not frozen"
        for field in dataclasses.fields(cls):
            assert field.kw_only, f"Field '{field.name}' is not keyword-only: use @dataclass(frozen=True, kw_only=True)"

    def test_has_a_name_and_a_docstring(self, tmp_path: Path) -> None:
        """Without them users can neither select the component nor read what it does."""
        cls = type(self.make(tmp_path))
        assert re.fullmatch(r"[a-z][a-z0-9_]*", cls.name), f"The name {cls.name!r} is not a lower-case word"
        text = vars(cls).get("__doc__") or ""
        assert not text.startswith(f"{cls.__name__}("), f"{cls.__name__} has no docstring of its own"
        assert text.strip(), f"{cls.__name__} has no docstring"
        first = text.strip().splitlines()[0]
        assert first.endswith("."), f"The docstring's first line is not a sentence: {first!r}"

    def test_belongs_to_one_stage(self, tmp_path: Path) -> None:
        """A component that no hook takes can never be used."""
        cls = type(self.make(tmp_path))
        assert cls.stage in STAGES, f"{cls.__name__} subclasses no stage"
        assert issubclass(cls, STAGES[cls.stage][0]), f"{cls.__name__} says '{cls.stage}' and is none"
        assert not inspect.isabstract(cls), f"{cls.__name__} leaves methods of its stage to others"

    def test_explains_every_field(self, tmp_path: Path) -> None:
        """Help, reference and editor completion are made from the fields."""
        for field in dataclasses.fields(self.make(tmp_path)):
            said = field.metadata.get("help", "")
            assert field.metadata.get("role") in ("param", "knob", "secret"), (
                f"Field '{field.name}' is not declared with param, knob or secret"
            )
            assert said.endswith("."), f"Field '{field.name}' has no sentence of help: {said!r}"

    def test_configuration_comes_back_from_json(self, tmp_path: Path) -> None:
        """A model is loaded by building its components from the configuration that is kept beside it."""
        component = self.make(tmp_path)
        again = build(type(component), strict(component.config(), "The configuration"))
        assert again.config() == component.config(), "config() does not come back through build()"
        for field in dataclasses.fields(component):
            value = component.config()[field.name]
            if field.metadata.get("role") == "secret" and value:
                assert str(value).startswith(("env:", "file:")), f"The secret '{field.name}' is not a reference"

    def test_equal_configurations_are_equal_and_hash_alike(self, tmp_path: Path) -> None:
        """Steps are compared by their components."""
        one, two = self.built(tmp_path), self.built(tmp_path)
        assert one == two, "Two components of one configuration differ"
        if not any(isinstance(value, Mapping) for value in one.config().values()):
            assert hash(one) == hash(two), "Equal components hash differently"

    def test_can_be_sent_to_a_worker(self, tmp_path: Path) -> None:
        """Work is carried to other processes together with the component that does it."""
        one = self.built(tmp_path)
        assert pickle.loads(pickle.dumps(one)) == one, "The component does not survive pickling"

    def test_importing_it_is_cheap(self, tmp_path: Path) -> None:
        """Listings and cached runs import every plugin, and must answer at once."""
        module = type(self.make(tmp_path)).__module__
        heavy = _imported(module, getattr(sys.modules[module], "__file__", "") or "")
        assert not heavy, f"Importing {module} imports {', '.join(heavy)}: move those imports into functions"

    def test_methods_take_what_the_stage_gives(self, tmp_path: Path) -> None:
        """The contract grows by fields of the run: a method of other arguments breaks with the next version."""
        cls = type(self.make(tmp_path))
        for name, declared in contract(STAGES[cls.stage][0]):
            wanted, found = _arguments(declared), _arguments(getattr(cls, name))
            assert found == wanted, f"{cls.__name__}.{name} takes {found}, and the contract says {wanted}"

    def test_names_libraries_and_files_that_are_there(self, tmp_path: Path) -> None:
        """They are part of the fingerprint: one misspelt is a change that goes unseen."""
        cls = type(self.make(tmp_path))
        assert isinstance(cls.libraries, tuple), f"{cls.__name__}.libraries is not a tuple"
        assert isinstance(cls.data_files, tuple), f"{cls.__name__}.data_files is not a tuple"
        for name in cls.data_files:
            place = Path(inspect.getfile(cls)).parent / name
            assert place.exists(), f"The data file '{name}' is not beside the module"


def contract(base: type[Component]) -> Iterator[tuple[str, Any]]:
    """Yield the methods that a stage's base class declares."""
    for name, member in vars(base).items():
        if not name.startswith("_") and inspect.isfunction(member):
            yield name, member


def _arguments(function: Any) -> list[str]:
    return [parameter.name for parameter in inspect.signature(function).parameters.values()]


_LOAD = """
import importlib, importlib.util, pickle, sys
def load(name, file):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        spec = importlib.util.spec_from_file_location(name, file)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
"""


@functools.cache
def _imported(module: str, file: str) -> tuple[str, ...]:
    return _heavy_after(f"load({module!r}, {file!r})")


def heavy_after_call(component: Any, call: str, *arguments: Any) -> tuple[str, ...]:
    """Return the heavy libraries that a call of a component imports in a fresh interpreter, numpy aside.

    Args:
        component: The component; its module may be one that only the tests can import.
        call: Name of the method.
        *arguments: Its arguments, which must survive pickling.
    """
    module = type(component).__module__
    body = pickle.dumps((component, arguments))
    script = (
        f"load({module!r}, {getattr(sys.modules[module], '__file__', '')!r})\n"
        f"component, arguments = pickle.loads({body!r})\n"
        f"component.{call}(*arguments)"
    )
    return tuple(name for name in _heavy_after(script) if name != "numpy")


def _heavy_after(script: str) -> tuple[str, ...]:
    script = f"{_LOAD}\n{script}\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, f"It cannot be imported in a fresh interpreter:\n{done.stderr[-2000:]}"
    return tuple(done.stdout.splitlines()[-1].split()) if done.stdout.strip() else ()


# What the stages' suites share


def strict(value: Any, what: str) -> Any:
    """Return a value as it comes back from strict JSON.

    Raises:
        AssertionError: the value is not JSON: an array, a NaN, an infinity, an object.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} is not plain JSON: {error}") from None


def saved(value: Value, folder: Path) -> dict[str, bytes]:
    """Save a value into a folder and return the files that it made."""
    place = Directory(folder)
    value.save(place)
    return {name: place.path(name).read_bytes() for name in place.names()}


def component_of(cls: type[Component]) -> Any:
    """Return what builds components of one class, as a ``Folder`` asks for them."""
    return lambda stage, use, config: build(cls, config)


def answer(call: Any, *arguments: Any) -> Any:
    """Call, and return what it says, or None where it was refused with an error that a user can act on."""
    try:
        return call(*arguments)
    except ModelwayError:
        return None


def refused(call: Any, *arguments: Any) -> bool:
    """Return whether a call is refused with an error that a user can act on."""
    try:
        call(*arguments)
    except ModelwayError:
        return True
    return False


def unpickled(files: Mapping[str, bytes]) -> None:
    """Check that no file is a pickle.

    Raises:
        AssertionError: one is, by its suffix or its first bytes.
    """
    for name, data in files.items():
        pickled = len(data) > 2 and data[0] == 0x80 and data[1] in range(2, 6) and data.endswith(b".")
        assert not pickled, f"'{name}' is a pickle, which executes when it is read"
        assert not name.endswith((".pkl", ".pickle", ".joblib")), f"'{name}' is named like a pickle"


class NoBlobs:
    """Blobs that refuse to be written: for methods that may not."""

    def put_file(self, path: Path) -> tuple[str, int]:
        """Refuse."""
        raise AssertionError("It writes into the store, and may not")

    def open(self, digest: str) -> Path:
        """Refuse."""
        raise AssertionError("It reads from the store, and may not")


def freeze(columns: Columns) -> Columns:
    """Return a copy of columns that cannot be written to, like those that share memory with arrow."""
    made = {name: copy.deepcopy(column) for name, column in columns.items()}
    for column in made.values():
        array = column.codes if isinstance(column, Category) else column
        array.flags.writeable = False
    return made


def cuts(rows: int) -> list[list[slice]]:
    """Return several ways to cut rows into consecutive batches, ends and single rows included."""
    edges = [[0, rows], [0, rows // 2, rows], [0, 1, rows // 3, rows - 1, rows], [*range(0, rows, 7), rows]]
    return [[slice(a, b) for a, b in pairwise(e) if b > a] for e in edges]


def agree(a: Any, b: Any, tolerance: float) -> bool:
    """Return whether two plain values agree, numbers within a relative tolerance."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(agree(a[key], b[key], tolerance) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(agree(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool):
        return a == b or (a != a and b != b) or abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))
    return bool(a == b)


def plain_column(column: Any) -> list[Any]:
    """Return a column's values row by row: missing is None, whatever the codes."""
    from modelway.values import missing

    items = column.objects().tolist() if isinstance(column, Category) else column.tolist()
    return [None if gone else item for item, gone in zip(items, missing(column).tolist(), strict=True)]


def rows_of(table: Table) -> dict[str, list[Any]]:
    """Return a table's rows by column, however they are cut into parts."""
    read = table.read()
    return {name: plain_column(read[name]) for name in table.names}
