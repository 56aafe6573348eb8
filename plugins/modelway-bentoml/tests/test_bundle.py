"""A bundle holds what is needed to score and nothing else; equal models give equal ones; a changed one is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from modelway_bentoml import environment, travel
from modelway_bentoml.packager import BentoML
from modelway_bentoml.serving.scorer import Components, files
from shop import ROW, package, scoring_model

from modelway import Bundle, ConfigError, DataError, Directory, PluginError

HEAVY = {"hydra", "omegaconf", "dask", "pandas", "pyarrow", "sqlalchemy", "pandera", "sklearn"}
#: Loads a bundle as its service does, in a process that has everything of training installed.
LOAD = """
import sys, json
from pathlib import Path
root = Path(sys.argv[1])
sys.path.insert(0, str(root / "lib"))
from modelway_bentoml.serving.scorer import close, load
close(json.loads((root / "manifest.json").read_bytes())["closed"])
scorer = load(root)
rows = scorer.model.golden["rows"]
names = ("modelway", "modelway_bentoml", "small_model")
own = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] in names and m]
loaded = sorted({n.split(".")[0] for n, m in sys.modules.items() if m is not None})
print(json.dumps([scorer.model.score_records(rows)["score"].tolist(), loaded, own]))
"""


def contents(bundle: Bundle) -> dict[str, bytes]:
    return {path.relative_to(bundle.root).as_posix(): path.read_bytes() for path in files(bundle.root)}


def unpacked(bundle: Bundle, folder: Path) -> Path:
    return Path(shutil.copytree(bundle.root, folder / "bundle")) / "src"


def load(source: Path) -> Any:
    done = subprocess.run([sys.executable, "-P", "-c", LOAD, str(source)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if not done.returncode else done.stderr.strip().splitlines()[-1]


def test_equal_models_give_byte_equal_bundles_so_that_a_digest_names_one(bundle: Bundle, tmp_path: Path) -> None:
    again = package(tmp_path / "elsewhere", scoring_model())
    assert contents(again) == contents(bundle)
    assert again.about == bundle.about


def test_a_saved_bundle_unpacks_to_the_files_that_were_packaged(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(Directory(tmp_path))
    assert contents(Bundle(tmp_path / "files")) == contents(bundle)


def test_scoring_needs_the_bundles_own_code_and_nothing_of_training(bundle: Bundle, tmp_path: Path) -> None:
    source = unpacked(bundle, tmp_path)
    scores, loaded, own = load(source)
    assert scores == scoring_model().golden["scores"]
    assert not HEAVY & set(loaded)
    assert {Path(path).is_relative_to(source / "lib") for path in own} == {True}


def test_only_code_that_scoring_reaches_travels(bundle: Bundle) -> None:
    lib = bundle.root / "src" / "lib"
    names = {path.relative_to(lib).as_posix() for path in files(lib)}
    assert "small_model/links.py" in names
    assert "small_model/tables.py" not in names
    assert not {
        name
        for name in names
        if name.startswith(("modelway/engine", "modelway/config", "modelway/cli", "modelway/testing"))
    }


def test_requirements_are_pinned_and_hold_nothing_of_training(bundle: Bundle) -> None:
    lines = (bundle.root / "env" / "python" / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines)
    assert {"bentoml", "numpy", "pluggy", "starlette"} <= pins.keys()
    assert (
        not {"hydra-core", "dask", "pandas", "pyarrow", "scikit-learn", "sqlalchemy", "modelway", "modelway-bentoml"}
        & pins.keys()
    )
    assert (bundle.root / "src" / "requirements.txt").read_text().splitlines() == lines


def test_hashes_are_taken_over_where_the_lock_holds_every_pin_and_otherwise_from_none() -> None:
    pinned = {"a": "1.0", "b-c": "2.0"}
    locked = {("a", "1.0"): ["sha256:aa", "sha256:bb"], ("b-c", "2.0"): ["sha256:cc"]}
    text, absent = environment.requirements(pinned, locked)
    assert text == "a==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nb-c==2.0 \\\n    --hash=sha256:cc\n"
    assert absent == []
    assert environment.requirements({**pinned, "d": "3"}, locked) == ("a==1.0\nb-c==2.0\nd==3\n", ["d==3"])


def test_a_lock_file_is_read_as_pip_writes_it(tmp_path: Path) -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        f"# pip\nB.c[extra]==2.0 ; python_version < '4' \\\n    --hash={two} \\\n    --hash={one}\n    # via x\n"
    )
    assert environment.hashes(lock) == {("b-c", "2.0"): [one, two]}
    assert environment.hashes(tmp_path / "absent") == {}


def test_the_small_wheel_stands_in_for_the_large_one() -> None:
    assert "anyio" in environment.pins(["starlette"], {})
    swapped = environment.pins(["starlette"], {"anyio": "anyio-small", "idna": ""})
    assert "anyio-small" in swapped
    assert not {"anyio", "idna"} & swapped.keys()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("model", lambda source: (source / "model" / "model" / "linear.json").write_text('[["age"],[[1.0]],"binary"]')),
        ("code", lambda source: (source / "lib" / "small_model" / "links.py").write_text("sigmoid = float\n")),
        ("schema", lambda source: edit(source, lambda body: body["schema"]["columns"]["age"].update(max=1000))),
        ("transforms", lambda source: edit(source, lambda body: body["transforms"][0]["state"].update(city=["Oslo"]))),
        ("golden", lambda source: edit(source, lambda body: body["golden"].update(scores=[0.5, 0.5, 0.5]))),
        ("environment", lambda source: (source / "requirements.txt").write_text("numpy==1.0\n")),
    ],
)  # fmt: skip
def test_a_part_that_is_not_the_one_that_was_packaged_is_refused(
    bundle: Bundle, tmp_path: Path, part: str, change: Any
) -> None:
    source = unpacked(bundle, tmp_path)
    change(source)
    assert f"The bundle's {part} is not what was packaged" in str(load(source))


def edit(source: Path, change: Any) -> None:
    path = source / "model" / "scoring.json"
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


def test_components_are_built_from_the_list_and_from_the_bundle_alone(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "small_model").mkdir()
    build = Components(tmp_path / "lib", {
        "features/os": "os:system", "features/far": "small_model.features:Codes",
        "features/odd": "small_model.features:Codes.apply",
    })  # fmt: skip
    for use, said in [
        ("unknown", "does not list"),
        ("os", "not part of"),
        ("far", "outside the bundle"),
        ("odd", "not part of"),
    ]:
        with pytest.raises(PluginError, match=said):
            build("features", use, {"columns": ["city"]})


def test_a_class_under_another_name_is_not_built(bundle: Bundle, tmp_path: Path) -> None:
    source = unpacked(bundle, tmp_path)
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["components"]["features/codes"] = "small_model.features:Ratio"
    (source / "manifest.json").write_text(json.dumps(manifest))
    assert "is not the features component 'codes'" in load(source)


def test_a_model_that_scores_otherwise_than_in_training_gives_no_bundle(tmp_path: Path) -> None:
    model = scoring_model()
    scores = [score + 1e-3 for score in model.golden["scores"]]
    with pytest.raises(DataError, match="score otherwise"):
        package(tmp_path, replace(model, golden={**model.golden, "scores": scores}))


def test_a_model_without_golden_rows_gives_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no golden rows"):
        package(tmp_path, replace(scoring_model(), golden={}))


def test_code_that_could_not_be_found_again_is_named() -> None:
    model = scoring_model()
    hidden = type("Hidden", (type(model.trainer),), {}, name="hidden")()
    with pytest.raises(ConfigError, match="cannot travel"):
        travel.allowed(replace(model, trainer=hidden))


def test_a_project_plugin_travels_as_its_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    path = tmp_path / "plugin.py"
    path.write_text("import math\nfrom small_model.features import Codes\n")
    spec = importlib.util.spec_from_file_location("modelway_project_shop", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "modelway_project_shop", module)
    spec.loader.exec_module(module)
    found = travel.closure(["modelway_project_shop", "small_model.trainer"])
    assert found["modelway_project_shop.py"] == path
    assert "small_model/features.py" in found


def test_the_command_keeps_bentoml_inside_the_folder_and_on_the_address_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    argv, env = BentoML().command(Path(tmp_path.name), "127.0.0.1", 1234)
    assert argv[:5] == [sys.executable, "-m", "bentoml", "serve", str(tmp_path)]
    assert argv[5:] == ["--host", "127.0.0.1", "--port", "1234"]
    assert Path(env["BENTOML_HOME"]).is_relative_to(tmp_path)
    assert env["BENTOML_DO_NOT_TRACK"] == "True"


def test_no_path_of_the_machine_that_packaged_stays_in_the_bundle(bundle: Bundle) -> None:
    here = str(bundle.root.parent).encode()
    assert not [name for name, data in contents(bundle).items() if here in data]
    assert ROW["city"].encode() in contents(bundle)["src/model/scoring.json"]
