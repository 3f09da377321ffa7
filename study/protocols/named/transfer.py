"""Ways to transfer a body, all with the same updates in all: frozen, staged, full, layer-wise rates; random start."""

from study.protocols.protocol import PhasePlan, Protocol, adam, register

#: Epochs at the full budget, of all phases together; `--epochs` replaces the sum and keeps the proportions.
EPOCHS = 24
FROZEN = (PhasePlan("head", "head", "head", adam(1e-3), EPOCHS, patience=None, schedule="cosine"),)
STAGED = (
    PhasePlan("head", "head", "head", adam(1e-3), EPOCHS // 4, patience=None),
    PhasePlan("top-block", "stage", "blocks:1", adam(5e-4), EPOCHS // 4, patience=None),
    PhasePlan("all", "stage", "all", adam(2e-4), EPOCHS // 2, patience=None, schedule="cosine"),
)
FULL = (PhasePlan("all", "stage", "all", adam(2e-4), EPOCHS, patience=None, schedule="cosine"),)
#: A block has this share of the rate of the block above it.
DECAY = 0.5
LAYERWISE = (PhasePlan("all", "stage", "all", adam(1e-3), EPOCHS, patience=None, schedule="cosine", block_decay=DECAY),)
#: A body without knowledge takes the rate of a custom network.
RANDOM = (PhasePlan("all", "stage", "all", adam(1e-3), EPOCHS, patience=None, schedule="cosine"),)

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
