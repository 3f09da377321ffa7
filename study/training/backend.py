"""The backend: environment and seeds set before Keras is imported, and which backend it is."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from typing import Any

from study.core.errors import UsageError
from study.datasets.cache import default_dir
from study.models.weights import keras_cache
from study.training.environment import children_get, process_environment

BACKENDS = ("tensorflow", "jax")


def chosen_backend() -> str:
    """Return the backend that ``KERAS_BACKEND`` names (``tensorflow`` by default), without importing it.

    Raises:
        UsageError: a backend this package does not train on.
    """
    name = os.environ.get("KERAS_BACKEND", "tensorflow")
    if name not in BACKENDS:
        raise UsageError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}, got {name!r}.")
    return name


def require_backend() -> None:
    """Check that what trains here is installed, without importing it; plans and reports need no backend.

    Raises:
        UsageError: it is not, or this package does not train on it.
    """
    name = chosen_backend()
    if importlib.util.find_spec(name) is None:
        raise UsageError(
            f"Keras runs on the backend that KERAS_BACKEND names (tensorflow by default), here {name}, which is not "
            "installed: install it (docs/jax-and-gpu.md) or set another."
        )


def prepare_backend(backend: str, threads: int | None = None) -> None:
    """Import Keras and set it up as if there were no settings of the user's: nothing but a spec decides a result.

    Args:
        backend: Keras' backend.
        threads: Threads of the backend, where it is not yet started; None for its own choice.

    Raises:
        UsageError: Keras is already imported with another backend.
    """
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's banners would tear the display apart
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    if threads:
        os.environ.update(process_environment(threads))
    if backend == "jax":
        _keep_compiled_programs()
    if "keras" not in sys.modules:
        home = str(keras_cache().parent)
        # Keras reads keras.json while it is imported, and raises on one that it does not understand.
        with tempfile.TemporaryDirectory(prefix="study-keras-") as empty, children_get({"KERAS_HOME": empty}):
            from keras.src.backend import config
        config._KERAS_DIR = home  # where downloaded weights are
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    if keras.backend.backend() != backend:
        raise UsageError(
            f"Keras runs on {keras.backend.backend()} in this process, the spec asks for {backend}: "
            f"set KERAS_BACKEND={backend}."
        )


def _keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in the project's cache, so that later runs and processes find them.

    A program takes minutes to compile on a GPU. Seed, rate and length of a phase are its arguments, so that runs which
    differ in nothing else share it.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is None:  # a user's own choice stands
        jax.config.update("jax_compilation_cache_dir", str(default_dir() / "jax"))


def on_tensorflow() -> bool:
    """Return whether Keras runs on TensorFlow in this process."""
    import keras

    return bool(keras.backend.backend() == "tensorflow")


def reseed_layers(model: Any, seed: int, epoch: int) -> None:
    """Set the generator of every dropout layer from the run's seed and the epoch, so that no state need be saved."""
    from study.core.spec import derive_seed

    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for number, state in enumerate(states):
        state.assign([derive_seed(seed, "dropout", epoch, number), 0])
