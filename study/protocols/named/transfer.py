"""Ways to transfer a body, all with the same updates in all: frozen, staged, full, layer-wise rates; random start."""

from study.protocols.piece import part
from study.protocols.protocol import ADAM, PhasePlan, Protocol, register

#: Epochs at the full budget, of all phases together; `--epochs` replaces the sum and keeps the proportions.
EPOCHS = 24
#: A block has this share of the rate of the block above it.
DECAY = 0.5


def phase(trainable: str, rate: float, epochs: int, schedule: str = "cosine", block_decay: float = 1.0) -> PhasePlan:
    """Return a phase of Adam without early stopping that keeps the epoch with the best Brier score."""
    name = {"blocks:1": "top-block"}.get(trainable, trainable)
    kind = "head" if trainable == "head" else "stage"
    return PhasePlan(
        name,
        kind,
        trainable,
        ADAM,
        rate,
        epochs,
        patience=None,
        schedule=part(schedule),
        block_decay=block_decay,
        monitor="brier",
    )


FROZEN = (phase("head", 1e-3, EPOCHS),)
STAGED = (
    phase("head", 1e-3, EPOCHS // 4, "constant"),
    phase("blocks:1", 5e-4, EPOCHS // 4, "constant"),
    phase("all", 2e-4, EPOCHS // 2),
)
FULL = (phase("all", 2e-4, EPOCHS),)
LAYERWISE = (phase("all", 1e-3, EPOCHS, block_decay=DECAY),)
#: A body without knowledge takes the rate of a custom network; the grid tries lower ones beside it.
RANDOM = (phase("all", 1e-3, EPOCHS),)

for name, phases, start, source in (
    ("frozen", FROZEN, "", ""),
    ("staged", STAGED, "", "gradual unfreezing: Howard and Ruder 2018, arXiv:1801.06146, section 3.3"),
    ("full", FULL, "", ""),
    ("layerwise", LAYERWISE, "", "discriminative rates: Howard and Ruder 2018, arXiv:1801.06146, section 3.2"),
    ("random-start", RANDOM, "none", ""),
):
    register(
        Protocol(
            f"transfer/{name}", transfer=phases, start=start, epochs_in_all=True, groups=("transfer",), source=source
        ),
        __file__,
    )
