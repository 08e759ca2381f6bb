"""A `Forecaster` as JSON: numbers and names to read, arrays as base64 of little-endian bytes.

No pickle: what is read can only become numbers. `FORMAT` is raised when the shape changes.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prediction.learning.counts import NAMES as COUNT_NAMES
from prediction.learning.effects import Effect, Effects
from prediction.learning.forecaster import Forecaster, KnownTexts
from prediction.learning.quantiles import SHARES, Spread
from prediction.learning.rows import TARGETS
from prediction.learning.terms import BANDS, BUCKETS
from prediction.learning.text_index import TextIndex
from prediction.learning.text_models import TextModels, feature_count

FORMAT = 1
_TYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "i8": "<i8", "S16": "S16"}
Json = dict[str, Any]


class ModelBroken(ValueError):
    """What was stored is not a forecaster: damaged, or of another version of Butler."""


def to_json(forecaster: Forecaster) -> Json:
    """The forecaster as values of JSON."""
    texts = forecaster.texts
    return {
        "format": FORMAT,
        "targets": list(TARGETS),
        "rows": forecaster.rows,
        "mean": forecaster.effects.mean.tolist(),
        "effects": {
            level: {key: [effect.rows, *effect.values.tolist()] for key, effect in by_key.items()}
            for level, by_key in forecaster.effects.levels.items()
        },
        "slopes": dict(forecaster.slopes),
        "ratios": forecaster.ratios.tolist(),
        "rule_groups": dict(forecaster.rule_groups),
        "spreads": {
            name: [spread.rows, *spread.quantiles.ravel().tolist()]
            for name, spread in forecaster.spreads.items()
        },
        "texts": {
            "digests": _packed(texts.digests, "S16"),
            "bands": _packed(texts.bands, "i8"),
            "rows": _packed(texts.rows, "i4"),
            "values": _packed(texts.values, "f4"),
        },
        "text_models": forecaster.text_models and _text_models_json(forecaster.text_models),
    }


def _text_models_json(models: TextModels) -> Json:
    index = models.index
    return {
        "size": index.size,
        "columns": _packed(index.columns, "i4"),
        "idf": _packed(index.idf, "f4"),
        "starts": _packed(index.starts, "i8"),
        "rows": _packed(index.rows, "i4"),
        "weights": _packed(index.weights, "f4"),
        "values": _packed(models.values, "f4"),
        "duals": _packed(models.duals, "f4"),
        "centre": models.centre.tolist(),
        "count_mean": models.count_mean.tolist(),
        "count_scale": models.count_scale.tolist(),
        "count_weights": _packed(models.count_weights, "f4"),
    }


def from_json(data: Json) -> Forecaster:
    """The forecaster of `to_json`. Raises ModelBroken."""
    try:
        if data["format"] != FORMAT or data["targets"] != list(TARGETS):
            raise ModelBroken("The model has another format.")
        forecaster = _forecaster(data)
    except ModelBroken:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelBroken(f"The model is damaged: {type(error).__name__}.") from error
    return forecaster


def _forecaster(data: Json) -> Forecaster:
    stored = data["texts"]
    digests = _unpacked(stored["digests"], "S16")
    count, targets = len(digests), len(TARGETS)
    models = data["text_models"]
    return Forecaster(
        effects=Effects(
            _row(data["mean"], targets),
            {
                level: {
                    key: Effect(_row(values[1:], targets), int(values[0]))
                    for key, values in by_key.items()
                }
                for level, by_key in data["effects"].items()
            },
        ),
        texts=KnownTexts(
            digests,
            _unpacked(stored["bands"], "i8", (count, BANDS)),
            _unpacked(stored["rows"], "i4", (count,)),
            _unpacked(stored["values"], "f4", (count, targets)).astype(float),
        ),
        text_models=None if models is None else _text_models(models),
        slopes=_numbers(data["slopes"]),
        ratios=_row(data["ratios"], len(SHARES)),
        spreads={name: _spread(values) for name, values in data["spreads"].items()},
        rule_groups={str(name): bool(value) for name, value in data["rule_groups"].items()},
        rows=int(data["rows"]),
    )


def _spread(values: list[float]) -> Spread:
    shape = (len(TARGETS), len(SHARES))
    return Spread(_row(values[1:], shape[0] * shape[1]).reshape(shape), int(values[0]))


def _text_models(data: Json) -> TextModels:
    size, targets = int(data["size"]), len(TARGETS)
    columns = _unpacked(data["columns"], "i4")
    rows = _unpacked(data["rows"], "i4")
    starts = _unpacked(data["starts"], "i8", (len(columns) + 1,))
    sound = (
        (np.diff(starts) >= 0).all()
        and starts[0] == 0
        and starts[-1] == len(rows)
        and ((rows >= 0) & (rows < size)).all()
        and ((columns >= 0) & (columns < BUCKETS)).all()
    )
    if not sound:
        raise ModelBroken("The index of texts is damaged.")
    mean = _row(data["count_mean"], len(COUNT_NAMES))
    scale = _row(data["count_scale"], len(COUNT_NAMES))
    if (scale <= 0).any():
        raise ModelBroken("A scale of the model is not positive.")
    return TextModels(
        index=TextIndex(
            columns,
            _unpacked(data["idf"], "f4", (len(columns),)),
            starts,
            rows,
            _unpacked(data["weights"], "f4", (len(rows),)),
            size,
        ),
        values=_unpacked(data["values"], "f4", (size, targets)).astype(float),
        duals=_unpacked(data["duals"], "f4", (size, targets)).astype(float),
        centre=_row(data["centre"], targets),
        count_mean=mean,
        count_scale=scale,
        count_weights=_unpacked(
            data["count_weights"], "f4", (feature_count(len(mean)), targets)
        ).astype(float),
    )


def _packed(array: NDArray[Any], kind: str) -> Json:
    stored = np.ascontiguousarray(array, _TYPES[kind])
    return {kind: base64.b64encode(stored.tobytes()).decode(), "shape": list(stored.shape)}


def _unpacked(data: Json, kind: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    raw = base64.b64decode(data[kind], validate=True)
    array = np.frombuffer(raw, _TYPES[kind]).reshape(data["shape"])
    if shape is not None and array.shape != shape:
        raise ModelBroken("An array of the model has another shape.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelBroken("A number of the model is not finite.")
    return array


def _row(values: list[float], size: int | None = None) -> NDArray[np.float64]:
    row = np.array(values, float)
    if row.ndim != 1 or (size is not None and len(row) != size) or not np.isfinite(row).all():
        raise ModelBroken("A row of the model is damaged.")
    return row


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    numbers = {str(name): float(value) for name, value in values.items()}
    if not np.isfinite(list(numbers.values())).all():
        raise ModelBroken("A number of the model is not finite.")
    return numbers
