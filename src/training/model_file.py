"""Model files: small, safe to read, and byte-identical for equal models.

    write_model(Path("models/augmented.skops"), model)
    read_model(Path("models/augmented.skops"))

Only types that skops trusts are loaded, so a file from an unknown source cannot run code.
"""

from __future__ import annotations

import copy
import re
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from sklearn.pipeline import Pipeline

from src.errors import UserError

SCHEMA = "schema.json"
# skops identifies objects and arrays by their memory addresses.
ADDRESS = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.npy")')


def portable(model: Pipeline) -> Pipeline:
    """Return the fitted model with its vocabulary as an array of terms instead of a dict.

    skops writes each dict entry separately: 60,000 entries take minutes and tens of megabytes.
    scikit-learn rebuilds the dict from the array at first use.
    """
    tfidf = copy.copy(model["tfidf"])
    if hasattr(tfidf, "vocabulary_"):
        tfidf.vocabulary = np.array(sorted(tfidf.vocabulary_, key=tfidf.vocabulary_.__getitem__))
        del tfidf.vocabulary_
    return Pipeline([("tfidf", tfidf), ("classifier", model["classifier"])])


def write_model(path: Path, model: Pipeline) -> None:
    """Write a fitted model as a compressed skops file; equal models give equal bytes."""
    from skops import io

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_addresses(io.dumps(portable(model))))


def read_model(path: Path) -> Pipeline:
    """Read a model that `write_model` wrote.

    Such a model needs only types that skops trusts by default (`skops.io.get_untrusted_types` is
    empty), so no further type is trusted: a file with any other type is rejected before loading.

    Raises:
        UserError: the file is missing, is not a skops file, or has types that no baseline needs.
    """
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return io.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} not found; run `dvc repro` to train it") from None
    except UntrustedTypesFoundException:
        unknown = ", ".join(io.get_untrusted_types(file=path))
        raise UserError(
            f"{path} has {unknown}, which no baseline needs; run `dvc repro` to train a new one"
        ) from None
    except (BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"{path} is not a model file ({error}); run `dvc repro` to train it again"
        ) from None


def _without_addresses(archive: bytes) -> bytes:
    """Compress a skops archive, without timestamps and with addresses replaced by numbers."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers)))

    written = BytesIO()
    with ZipFile(BytesIO(archive)) as source, ZipFile(written, "w", ZIP_DEFLATED) as target:
        schema = ADDRESS.sub(number, source.read(SCHEMA).decode("utf-8"))
        for name in source.namelist():
            if name != SCHEMA:
                renamed = f"{numbers[Path(name).stem]}.npy"
                target.writestr(ZipInfo(renamed), source.read(name), ZIP_DEFLATED)
        target.writestr(ZipInfo(SCHEMA), schema, ZIP_DEFLATED)
    return written.getvalue()
