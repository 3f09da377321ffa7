"""The verbs of the command line: one short file each, imported when the verb is called."""

from __future__ import annotations

#: Verb -> module with a Typer ``app``, and what ``study --help`` says about it.
VERBS = {
    "run": ("study.cli.run", "Train what is missing of a grid and write the report."),
    "report": ("study.cli.report", "Write the report of a study from its records, or check that it is up to date."),
    "web": ("study.cli.web", "Show a study in a browser on this machine, and try its network on a picture."),
    "import": ("study.cli.import_", "Set somebody else's predictions beside a study's own."),
    "list": ("study.cli.list", "List models, protocols, grids and budgets."),
    "data": ("study.cli.data", "Prepare a dataset for quick opening, show what is in it, or audit it."),
    "predict": ("study.cli.predict", "Find the faces in pictures and say what emotion each shows."),
    "live": ("study.cli.live", "Follow faces before a camera or in a video and say what each shows."),
    "evaluate": ("study.cli.evaluate", "Score a trained run on another dataset."),
    "explain": ("study.cli.explain", "Draw where a trained run looked: Grad-CAM on right and wrong answers."),
    "export": ("study.cli.export", "Write a trained run as self-contained files: Keras, ONNX, LiteRT, SavedModel."),
    "retrain": ("study.cli.retrain", "Train a finished run again whose weights are not here."),
    "check": ("study.cli.check", "Run the contract suite on a model entry, for example your own."),
    "bench": ("study.cli.bench", "Measure how fast networks train and predict here, beside peers."),
    "pretrain": ("study.cli.pretrain", "Train a body on other images and write weights that a study starts from."),
    "weights": ("study.cli.weights", "Tell which pretrained weights are here, and whether they are what they claim."),
    "convert": ("study.cli.convert", "Rewrite records that an older version made in today's form."),
}

#: How the help lists them.
GROUPS = {
    "Train and compare": ("run", "report", "web", "import", "list"),
    "Data": ("data",),
    "Use a trained network": ("predict", "live", "evaluate", "explain", "export", "retrain"),
    "Build and maintain": ("check", "bench", "pretrain", "weights", "convert"),
}
