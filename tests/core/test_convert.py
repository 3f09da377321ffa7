"""Records of format 1 become what today's code writes for the same runs: both versions trained the ones here."""

import shutil
from pathlib import Path

import pytest

from study.core.convert import convert_study
from study.core.errors import DamagedError, StoreError
from study.core.store import Store

OLD = Path(__file__).parent / "format_1"
#: The names that a run of today's code gave its files; "selection" was part of keys and paths.
TODAY = {
    "cnn3/clean-twin/checkpoint-on-validation/seed_0-77962f49e5",
    "cnn3/leaky/checkpoint-on-test/seed_0-ecceba46d1",
    "vgg16/transfer/staged/seed_0-6a13ed1c67",
}
STAGED = "vgg16/transfer/staged/seed_0-fc5160c20e"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(OLD, tmp_path / "old")
    (tmp_path / "old" / f"{STAGED}.weights.h5").write_bytes(b"weights")
    return Store(tmp_path, "old")


def names(store: Store) -> set[str]:
    return {path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file()}


def test_records_predictions_and_weights_move_to_their_new_names(store: Store) -> None:
    assert convert_study(store) == 3
    assert names(store) == {f"{name}{end}" for name in TODAY for end in (".json", ".npz")} | {
        "vgg16/transfer/staged/seed_0-6a13ed1c67.weights.h5"
    }
    records, damage = store.examine()
    assert len(records) == 3 and damage == []
    staged = next(record for record in records if record.spec.model.name == "vgg16")
    assert [phase.trainable for phase in staged.spec.protocol.phases] == ["head", "blocks:1", "all"]
    assert staged.pretraining and staged.pretraining.dataset.startswith("ImageNet")
    assert store.load_arrays(staged).arrays["test_probabilities"].shape == (22, 7)
    assert store.weights_path(staged.spec).read_bytes() == b"weights"


def test_a_second_call_finds_nothing_and_an_interrupted_one_goes_on(store: Store, monkeypatch) -> None:
    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            convert_study(store)
    assert convert_study(store) == 3 and convert_study(store) == 0
    assert len(names(store)) == 7 and len(store.records()) == 3


def test_other_commands_say_what_to_do(store: Store) -> None:
    with pytest.raises(StoreError, match=r"record format must be 2, found 1\. Convert it: study convert\.$"):
        store.records()


@pytest.mark.parametrize("end", [".json", ".npz"])
def test_altered_files_are_refused(store: Store, end: str) -> None:
    path = store.folder / f"{STAGED}{end}"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"accuracy": 0.', b'"accuracy": 1.', 1) if end == ".json" else data[:-1] + b"x")
    with pytest.raises((DamagedError, StoreError), match="altered"):
        convert_study(store)
