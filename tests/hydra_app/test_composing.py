"""Settings are what the application's own Hydra makes of them, whatever layout and features it uses."""

import pytest

from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result
from tests.hydra_app.applications import MAIN, USUAL, task, write


@pytest.fixture
def usual(tmp_path):
    found = task(write(tmp_path, USUAL))
    yield found
    found.composing.close()


def test_a_usual_layout(usual, tmp_path):
    assert usual.groups == {"experiment": ("long",), "optimizer": ("adam", "sgd")}
    run = usual.configure([])
    assert run.config == {
        "optimizer": {"lr": 0.1, "warmup": 1},
        "epochs": 4,
        "warmup": 1,
        "out": "(hydra runtime.output_dir)",
        "started": "(now %H-%M)",
        "chosen": "sgd",
        "data": {"root": "./data", "split_seed": 0},
    }
    assert not {path.name for path in tmp_path.iterdir()} - {"src", "configs"}, "no litter"


def test_levels_of_groups_fields_and_what_follows_them(usual):
    adam = usual.configure(["optimizer=adam", "optimizer.lr=0.5"])
    assert adam.config["optimizer"] == {"lr": 0.5, "warmup": 2, "betas": [0.9, 0.999]}
    assert adam.config["warmup"] == 2
    assert adam.config["chosen"] == "adam"
    assert usual.configure(["optimizer.warmup=7"]).config["warmup"] == 7


def test_a_group_outside_the_defaults_list_is_added(usual):
    word = usual.override("experiment", "long")
    assert word == "+experiment=long"
    run = usual.configure([word])
    assert (run.config["epochs"], run.config["chosen"]) == (40, "adam")
    assert usual.override("optimizer", "adam") == "optimizer=adam"


def test_one_setting_by_several_ways_is_one_run(usual):
    assert usual.configure(["optimizer=sgd"]).digest == usual.configure([]).digest
    assert usual.configure(["optimizer.lr=1e-1"]).digest == usual.configure([]).digest
    assert usual.configure(["optimizer.lr=0.2"]).digest != usual.configure([]).digest
    assert usual.configure([]).with_seed(1).digest != usual.configure([]).digest


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["optimizer=nope"], "Could not find 'optimizer/nope'"),
        (["optimizer.lrr=1"], "optimizer.lrr"),
        (["epochs"], "epochs"),
    ],
)
def test_hydras_own_words_for_what_it_refuses(usual, overrides, says):
    with pytest.raises(ConfigError) as caught:
        usual.configure(overrides)
    assert says in str(caught.value)
    assert usual.configure([]).config["epochs"] == 4, "and it goes on"


def test_structured_configurations_and_resolvers_of_its_own(tmp_path):
    files = {
        "app/__init__.py": "",
        "app/settings.py": """
            from dataclasses import dataclass, field
            from enum import Enum
            from pathlib import Path
            from hydra.core.config_store import ConfigStore
            from omegaconf import MISSING

            class Kind(Enum):
                fast = 1
                slow = 2

            @dataclass
            class Adam:
                lr: float = 1
                betas: list[float] = field(default_factory=lambda: [0.9, 0.999])

            @dataclass
            class Config:
                name: str = MISSING
                kind: Kind = Kind.slow
                out: Path = Path("x/y")
                half: int = "${half:${epochs}}"
                epochs: int = 8
                seed: int = 0
                optimizer: Adam = field(default_factory=Adam)

            store = ConfigStore.instance()
            store.store(name="base", node=Config)
            store.store(group="optimizer", name="adam", node=Adam)
            """,
        "train.py": """
            import hydra
            from omegaconf import OmegaConf
            from app import settings

            @hydra.main(version_base=None, config_name="base")
            def main(cfg):
                raise AssertionError("is never called while planning")

            if __name__ == "__main__":
                OmegaConf.register_new_resolver("half", lambda number: number // 2)
                main()
            """,
    }
    found = task(write(tmp_path, files), script="train.py")
    run = found.configure(["name=x", "optimizer.lr=2", "kind=fast"])
    assert run.config["optimizer"]["lr"] == 2.0
    assert isinstance(run.config["optimizer"]["lr"], float)
    assert (run.config["kind"], run.config["out"], run.config["half"]) == ("fast", "x/y", 4)
    with pytest.raises(ConfigError, match="Missing mandatory value: name"):
        found.configure([])
    with pytest.raises(ConfigError, match=r"optimizer\.lr"):
        found.configure(["name=x", "optimizer.lr=fast"])
    assert set(found.version.files) == {"train.py", "app", "app.settings"}
    found.composing.close()


@pytest.mark.parametrize("base", ["None", '"1.1"', '"1.3"'])
def test_versions_of_hydras_rules(tmp_path, base):
    found = task(write(tmp_path, {**USUAL, "src/train.py": MAIN.format(base=base)}))
    assert found.configure(["optimizer=adam"]).config["warmup"] == 2
    found.composing.close()


@pytest.mark.parametrize(
    "table",
    [
        {"script": None, "module": "pkg.train"},
        {"script": None, "function": "pkg.train:main"},
        {"script": "pkg/train.py"},
        {"script": "pkg/train.py", "config_name": "train", "config_path": "pkg/conf"},
    ],
)
def test_ways_to_start_it(tmp_path, table):
    files = {
        "pkg/__init__.py": "",
        "pkg/train.py": """
            import hydra

            @hydra.main(version_base="1.3", config_path="conf", config_name="train")
            def main(cfg):
                return 1

            if __name__ == "__main__":
                main()
            """,
        "pkg/conf/train.yaml": "{seed: null, x: 1}",
    }
    found = task(write(tmp_path, files), **table)
    assert found.configure(["x=2"]).config == {"x": 2}
    found.composing.close()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("print('bye'); raise SystemExit(3)", "ended by itself (3) before it called"),
        ("x = 1", "without a call of a function with @hydra.main"),
        ("import os; print('crash'); os._exit(1)", "ended while it was composed; it printed: crash"),
    ],
)
def test_what_is_no_application(tmp_path, script, says):
    with pytest.raises(ConfigError) as caught:
        task(write(tmp_path, {"train.py": script}), script="train.py").configure([])
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"script": "none.py"}, "tasks.app.script = 'none.py': there is no such file"),
        ({"script": None}, "name one of script, module and function"),
        ({"module": "x"}, "name one of script, module and function"),
        ({"script": None, "module": "nothing"}, "there is no module nothing"),
        ({"config_path": "none"}, "there is no such folder"),
        ({"returns": "f1"}, "returns: f1: is no metric of this task"),
        ({"scripts": "x"}, "there is no such field; keys are kind"),
        ({"defaults": {"x": 1}}, "defaults: are the application's own configuration"),
    ],
)
def test_bad_declarations(tmp_path, table, says):
    with pytest.raises(ConfigError) as caught:
        task(write(tmp_path, USUAL), **table)
    assert says in str(caught.value)


def test_the_seed_has_a_field(tmp_path):
    found = task(write(tmp_path, USUAL), seed="trainer.seed")
    with pytest.raises(ConfigError, match=r"tasks\.app\.seed = 'trainer\.seed': .* name the field that takes the seed"):
        found.configure([])
    found.composing.close()
    added = task(tmp_path, seed="+trainer.seed")
    assert "seed" in added.configure([]).config
    with pytest.raises(ConfigError, match="is no factor"):
        added.override("trainer.seed", 3)
    added.composing.close()


def test_fields_that_cannot_change_a_result(tmp_path):
    found = task(write(tmp_path, USUAL), ignore=["data.root", "warmup"])
    assert found.configure([]).config["data"] == {"split_seed": 0}
    assert "warmup" not in found.configure([]).config
    found.composing.close()


def test_steps_give_a_run_its_length(tmp_path):
    found = task(write(tmp_path, USUAL), steps="epochs")
    assert found.configure(["+experiment=long"]).length == 40
    found.composing.close()


def test_modules_that_a_setting_names_are_part_of_its_identity_and_of_no_other(tmp_path):
    named = {
        "configs/train.yaml": """
            defaults: [net: small, _self_]
            seed: 0
            optimizer: {lr: 0.1}
            """,
        "configs/net/small.yaml": "{_target_: src.nets.small.Small, layer: {_target_: torch.nn.ReLU}}",
        "configs/net/wide.yaml": "{_target_: nets.wide.Wide}",
        "src/nets/small.py": "from src.nets.parts import layer\nclass Small: pass\n",
        "src/nets/parts.py": "layer = 1\n",
        "src/nets/wide.py": "class Wide: pass\n",
        "src/nets/unused.py": "",
    }
    write(tmp_path, {"src/train.py": MAIN.format(base='"1.3"'), **named})
    before = task(tmp_path)
    small, wide = before.configure([]), before.configure(["net=wide"])
    assert set(small.details["code"]["files"]) == {"train.py", "src.nets.small", "src.nets.parts"}
    assert set(wide.details["code"]["files"]) == {"train.py", "nets.wide"}

    write(tmp_path, {"src/nets/parts.py": "layer = 2\n", "src/nets/unused.py": "layer = 2\n"})
    after = task(tmp_path)
    assert after.configure(["net=wide"]).digest == wide.digest
    changed = after.configure([])
    assert changed.digest != small.digest
    record = Record(small.digest, small.identity, Result("complete", notes={"code": small.details["code"]}))
    assert after.changed_code(record).startswith("src.nets.parts (was ")
    assert before.changed_code(record) is None
