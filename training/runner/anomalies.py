"""What is unusual: rows that an autoencoder, which has seen usual ones, does not give back well.

The score of a row is the mean over its numbers of ((x - x̂) / s)², where s is the deviation of the
column in the training rows: how far off the network is, as a share of the variance. The threshold
is the 0.95 quantile of the scores of the usual validation rows (`usual`; of all, where no class is
usual): of what is usual, one row in twenty is taken for unusual. No row of the test part takes part
in it.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from kernels import modelfile
from kernels.modelfile import Model
from kernels.predictor import Predictor
from training.runner.figures import Beat
from training.runner.rows import Part, Rows
from training.runner.subjects import answers_in_parts

QUANTILE = 0.95
THRESHOLD = "threshold"


def scores(
    model: Model, rows: NDArray[np.float32], reconstructed: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The score of each row [rows], of what was given [rows, *input] and what came back."""
    deviations = model.arrays["input.scale"].astype(np.float64)  # of each column, the last axis
    given = rows.reshape(reconstructed.shape)
    far = (given.astype(np.float64) - reconstructed) / deviations
    mean: NDArray[np.float64] = (far**2).reshape(len(rows), -1).mean(axis=1)
    return mean


def scores_of(
    predictor: Predictor, rows: NDArray[np.float32], *, beat: Beat
) -> NDArray[np.float64]:
    """The score of each row [rows], in parts: what came back of all rows is never held at once."""
    found = np.empty(len(rows))
    for some, reconstructed in answers_in_parts(predictor, rows, beat=beat):
        found[some] = scores(predictor.model, rows[some], reconstructed)
    return found


def with_threshold(predictor: Predictor, rows: Rows, *, beat: Beat) -> bytes:
    """The file of an autoencoder with the threshold of the validation rows in its recipe; of those
    that trained where there are no others. `rows` are those that it had to do with.
    """
    model = predictor.model
    known = rows.only(Part.VALIDATION if (rows.parts == Part.VALIDATION).any() else Part.TRAIN)
    found = scores_of(predictor, known.features, beat=beat)
    recipe = {**model.signature.recipe, THRESHOLD: float(np.quantile(found, QUANTILE))}
    signature = dataclasses.replace(model.signature, recipe=recipe)
    return modelfile.dump(dataclasses.replace(model, signature=signature))
