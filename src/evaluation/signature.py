"""What a reader needs to get the same numbers, in one line."""

from __future__ import annotations

import hashlib

from src.config.data import DataParams
from src.config.evaluate import EvaluateParams


def signature(data: DataParams, evaluate: EvaluateParams) -> str:
    """Number of methods and seeds, the bootstrap, the tail, digest of the data, version of sklearn.

    Such as `methods:11|seeds:5|bs:2000|seed:0|tail:<=49|data:0f3a91c2|sklearn:1.9.1`.

    Args:
        data: the files of train, dev and test, which are read.
        evaluate: how the numbers are made.
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
