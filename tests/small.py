"""Data and recipes small enough to train in an instant, for the tests."""

import numpy as np
from sklearn.datasets import load_digits

from trainwright.data.dataset import Dataset, Splits
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import find

SPLITS = Splits(np.arange(36), np.arange(36, 48), np.arange(48, 60))


def digits() -> Dataset:
    """Sixty handwritten digits of 8×8 pixels: 36 train, 12 validate, 12 test."""
    images, classes = load_digits(return_X_y=True)
    inputs = (images[:60] / 16).astype(np.float32).reshape(60, 8, 8)
    return Dataset(
        "digits", "classification", inputs, classes[:60].astype(np.int32), SPLITS, tuple("0123456789")
    )


def table() -> Dataset:
    """Sixty rows of five columns, with a number to predict."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 5)).astype(np.float32)
    return Dataset("table", "regression", inputs, np.tanh(inputs @ np.arange(5.0)).astype(np.float32), SPLITS)


def recipe(*strategies, **settings) -> Recipe:
    """A hidden layer of eight units, two evaluations of three steps each."""
    given = {"batch_size": 12, "steps": 6, "learning_rate": 0.1, **settings}
    return Recipe(Mlp((8,)), strategies, **given)


def example(name: str):
    """A strategy with its example settings."""
    cls = find(name)
    return cls(**cls.example)


def parts(network, shape, outputs, *strategies, seed=0, inputs=None):
    """A network's parts by name, built with these strategies; `inputs` are the training examples."""
    given = np.zeros((1, *shape), np.float32) if inputs is None else inputs
    return network.build(shape, outputs, NetworkBuilder(strategies, seed, inputs=lambda: given)).parts
