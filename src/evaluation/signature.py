"""The signature: one line with the settings and data behind the numbers of an evaluation."""

from __future__ import annotations

import hashlib

from src.config.data import DataParams
from src.config.evaluate import EvaluateParams


def signature(data: DataParams, evaluate: EvaluateParams) -> str:
    """Return methods, seeds, bootstrap, tail, digest of the data files and version of sklearn.

    Example: `methods:11|seeds:5|bs:2000|seed:0|tail:<=49|data:0f3a91c2|sklearn:1.9.1`.

    Args:
        data: paths of train, dev and test, whose bytes are hashed.
        evaluate: settings of the evaluation.
    """
    import sklearn

    digest = hashlib.sha256()
    for path in (data.train, data.dev, data.test):
        digest.update(path.read_bytes())
    return (
        f"methods:{len(evaluate.methods)}|seeds:{evaluate.seeds}|bs:{evaluate.bootstrap}"
        f"|seed:{evaluate.seed}|tail:<={evaluate.tail_max_support}"
        f"|data:{digest.hexdigest()[:8]}|sklearn:{sklearn.__version__}"
    )
