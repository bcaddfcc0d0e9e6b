"""Parity: the same weights give the same outputs here as in the references, and there are as many of them.

    python parity/compare.py FOLDER

Reads what `parity/reference.py` wrote into the folder, writes results/parity.md, and fails where outputs
differ by more than a ten-thousandth of their largest, or where numbers of parameters differ.
"""

from __future__ import annotations

import datetime
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from trainwright.data.dataset import Dataset, Splits
from trainwright.networks.googlenet import Googlenet
from trainwright.networks.inception_bn import InceptionBn, from_pretrainedmodels
from trainwright.recipe import Recipe
from trainwright.strategies import BatchNorm
from trainwright.training.building import Training, build, count, filled, named_arrays

TOLERANCE = 1e-4
RESULT = Path(__file__).parents[1] / "results" / "parity.md"
HEADER = """# Parity with the reference networks

The same random weights, two random images of 224×224×3, 1,000 classes. The difference is the largest one of
any output, over the largest output. `make parity` makes this page; it fails where a difference is above
{tolerance:g}, or where there are not as many parameters.

| network | reference | parameters, here and there | largest difference |
|---|---|---|---|
"""
FOOTER = """
{date}; PyTorch {torch}, JAX {jax}, on a CPU. GoogLeNet's reference is `parity/reference.py`, written from
the paper's table; BN-Inception's is `bninception.py` of the package pretrainedmodels 0.7.4, whose arrays are
taken over by `trainwright.networks.inception_bn.from_pretrainedmodels`.
"""


def outputs(recipe: Recipe, weights: dict[str, Any], images: Any) -> tuple[Any, Any, int]:
    """What the recipe's network with these weights puts out, what it puts out in training when nothing is
    drawn, and how many parameters it has."""
    rows = Splits(np.arange(1), np.arange(1), np.arange(1))
    classes = tuple(map(str, range(1000)))
    data = Dataset("images", "classification", images, np.zeros(len(images), np.int32), rows, classes)
    graphdef, state = build(Training(recipe, data, 0))
    layers = {name: array for name, array in named_arrays(state).items() if name not in weights}
    state = filled(state, weights | layers)
    model = nnx.merge(graphdef, state.params, state.rest)

    @jax.jit
    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return model(x), nnx.clone(model)(x, training=True)

    predicted, trained = both(jnp.asarray(images))
    return np.asarray(predicted), np.asarray(trained), count(state.params)


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference over the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> None:
    folder = Path(sys.argv[1])
    rows, failed = [], False

    def note(network: str, reference: str, ours: int, theirs: int, differs: float) -> None:
        nonlocal failed
        failed |= ours != theirs or not differs <= TOLERANCE
        rows.append(f"| {network} | {reference} | {ours:,} and {theirs:,} | {differs:.1e} |")

    with np.load(folder / "googlenet.npz") as stored:
        arrays = dict(stored)
    facts = {name: arrays.pop(name) for name in ("images", "parameters", "outputs", "heads", "torch")}
    both = np.concatenate([facts["outputs"], facts["heads"]], axis=1)
    predicted, trained, parameters = outputs(Recipe(Googlenet()), arrays, facts["images"])
    total = int(facts["parameters"])
    note("GoogLeNet", "PyTorch, from table 1", parameters, total, difference(predicted, facts["outputs"]))
    note("GoogLeNet with its heads", "the same", parameters, total, difference(trained, both))
    heads = sum(array.size for name, array in arrays.items() if name.startswith("head"))
    alone = {name: array for name, array in arrays.items() if not name.startswith("head")}
    predicted, _, parameters = outputs(Recipe(Googlenet(heads=False)), alone, facts["images"])
    note(
        "GoogLeNet without heads",
        "the same",
        parameters,
        total - heads,
        difference(predicted, facts["outputs"]),
    )

    with np.load(folder / "inception_bn.npz") as stored:
        arrays = dict(stored)
    facts |= {name: arrays.pop(name) for name in ("images", "parameters", "outputs", "torch")}
    recipe = Recipe(InceptionBn(), (BatchNorm(),))
    predicted, _, parameters = outputs(recipe, from_pretrainedmodels(arrays), facts["images"])
    note(
        "BN-Inception (4c, 4d: 128)",
        "pretrainedmodels",
        parameters,
        int(facts["parameters"]),
        difference(predicted, facts["outputs"]),
    )
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    footer = FOOTER.format(date=date, torch=facts["torch"], jax=version("jax"))
    RESULT.write_text(HEADER.format(tolerance=TOLERANCE) + "\n".join(rows) + "\n" + footer)
    print(RESULT.read_text())
    if failed:
        raise SystemExit("the networks differ from their references")


if __name__ == "__main__":
    main()
