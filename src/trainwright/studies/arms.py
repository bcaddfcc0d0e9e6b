"""Arms: a name and the candidates among which validation chooses.

A strategy's own numbers are nuisances: the question is whether dropout helps, not whether dropout at 0.5
does. So an arm may hold several candidates, `dropout(hidden_rate=0.1|0.2|0.5)` on the command line.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from trainwright import baselines, strategies
from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.recipe import Recipe
from trainwright.strategy import Strategy

Candidate = Recipe | Baseline


@dataclass(frozen=True)
class Arm:
    """A name and its candidates: recipes, or baselines.

    Raises `SettingError` for no candidates, one given twice, and recipes mixed with baselines.
    """

    name: str
    """What the arm is called in files and reports."""
    candidates: tuple[Candidate, ...]
    """Validation chooses among these: recipes only, or baselines only."""

    def __post_init__(self) -> None:
        if not self.candidates:
            raise SettingError(f"arm {self.name!r} has no candidates: give at least one recipe")
        for candidate in self.candidates:
            if not isinstance(candidate, Recipe | Baseline):
                raise SettingError(f"arm {self.name!r}: {candidate!r} is neither a recipe nor a baseline")
        if len(set(self.candidates)) < len(self.candidates):
            raise SettingError(f"arm {self.name!r} has the same candidate twice: drop one")
        if len({isinstance(candidate, Baseline) for candidate in self.candidates}) > 1:
            raise SettingError(f"arm {self.name!r} mixes recipes and baselines: make two arms of them")


def as_arms(named: Mapping[str, Candidate | Sequence[Candidate]]) -> tuple[Arm, ...]:
    """The arms of a mapping from names to a candidate or several."""
    return tuple(
        Arm(name, (given,) if isinstance(given, Recipe | Baseline) else tuple(given))
        for name, given in named.items()
    )


def check_names(arms: Collection[str], baselines: Collection[str], reference: str) -> None:
    """Raises `SettingError` for no arms, a reference that is no arm, and a name of an arm and a baseline.

    `reference` may be empty.
    """
    if not arms:
        raise SettingError("study: no arms are given: name at least one recipe")
    if reference and reference not in arms:
        raise SettingError(f"study: the reference {reference!r} is not an arm: {', '.join(arms)}")
    if twice := [name for name in arms if name in baselines]:
        raise SettingError(f"study: {', '.join(twice)} names an arm and a baseline: rename one")


def check_rates(rates: Sequence[float], tuned: Sequence[float]) -> None:
    """Raises `SettingError` for a rate given twice, and for rates beside those that tuning is to try."""
    if len(set(rates)) < len(rates):
        raise SettingError(f"study: rates = {rates} has a rate twice: drop one")
    if rates and tuned:
        raise SettingError("study: rates and tuning.rates are two lists of the same: give one of them")


def check_arms(arms: Sequence[Arm], baselines: Sequence[Arm], *, tuned: bool, rate_chosen: bool) -> None:
    """Raises `SettingError` for a baseline among the arms, for arms that are the same, and for candidates
    without a tuning stage.

    `rate_chosen`: whether recipes that differ in their learning rate alone are the same.
    """
    if learners := [arm.name for arm in arms if isinstance(arm.candidates[0], Baseline)]:
        raise SettingError(
            f"study: {', '.join(learners)} is no network, and has no seeds to be paired by: give it as a "
            "baseline"
        )
    seen: dict[frozenset[Candidate], str] = {}
    for arm in (*arms, *baselines):
        same = (at_rates(candidate, (1.0,) if rate_chosen else ())[0] for candidate in arm.candidates)
        if (other := seen.setdefault(frozenset(same), arm.name)) != arm.name:
            raise SettingError(f"study: the arms {other!r} and {arm.name!r} are the same recipe: drop one")
        if len(arm.candidates) > 1 and not tuned:
            raise SettingError(
                f"study: arm {arm.name!r} has {len(arm.candidates)} candidates: "
                "give tuning=Tuning() to choose among them"
            )


def at_rates(candidate: Candidate, rates: Sequence[float]) -> list[Candidate]:
    """A recipe at each of these learning rates, at its own if there are none; a baseline as it is."""
    if not rates or not isinstance(candidate, Recipe):
        return [candidate]
    return [candidate.replace(learning_rate=rate) for rate in rates]


def read_arms(base: Recipe, texts: Sequence[str]) -> dict[str, tuple[Recipe, ...]]:
    """The base recipe as `plain`, and for each text an arm: the base with its strategies added.

    A strategy takes the place of the base's strategy of the same name. An arm of one candidate is called what
    was written; an arm of several is called by its strategies' names, unless two arms would be.

    >>> for name, candidates in read_arms(Recipe(), ["l2", "dropout(hidden_rate=0.2|0.5)"]).items():
    ...     print(name, [str(strategy) for recipe in candidates for strategy in recipe.strategies])
    plain []
    l2 ['l2']
    dropout ['dropout(hidden_rate=0.2)', 'dropout']
    """
    if twice := [text for text in texts if texts.count(text) > 1]:
        raise SettingError(f"arm {twice[0]!r} is given twice: drop one")
    families = {
        text.strip(): [strategies.read(alternative) for alternative in alternatives(text)] for text in texts
    }
    names = {text: _name(text, family) for text, family in families.items()}
    return {"plain": (base,)} | {
        text if list(names.values()).count(names[text]) > 1 else names[text]: tuple(
            base.adding(*chosen) for chosen in family
        )
        for text, family in families.items()
    }


def read_baselines(texts: Sequence[str]) -> dict[str, tuple[Baseline, ...]]:
    """An arm for each baseline named, such as `linear(penalty=0.1|1.0)`, called by its name. Texts that name
    the same one give its candidates together.

    Raises `SettingError` for a text that does not name one baseline.
    """
    arms: dict[str, tuple[Baseline, ...]] = {}
    for text in texts:
        read = [baselines.read(alternative) for alternative in alternatives(text)]
        if any(len(named) != 1 for named in read):
            raise SettingError(
                f"baseline {text!r}: name one baseline, such as 'svm' or 'linear(penalty=0.1)'"
            )
        for (baseline,) in read:
            arms[baseline.name] = tuple(dict.fromkeys((*arms.get(baseline.name, ()), baseline)))
    return arms


def alternatives(text: str) -> list[str]:
    """All that a text stands for: every combination of the alternatives in its settings.

    Raises `SettingError` where `|` stands anywhere but between plain values.

    >>> alternatives("dropout(0.2|0.5), l2(coefficient=1e-4|1e-3)")
    ['dropout(0.2), l2(coefficient=0.0001)', 'dropout(0.2), l2(coefficient=0.001)',
     'dropout(0.5), l2(coefficient=0.0001)', 'dropout(0.5), l2(coefficient=0.001)']
    """
    if "|" not in text:
        return [text]
    try:
        calls = ast.parse(f"({text.strip()},)", mode="eval").body.elts  # type: ignore[attr-defined]
    except SyntaxError:
        return [text]  # what reads it says what is wrong
    return [", ".join(parts) for parts in itertools.product(*(_spelled(call, text) for call in calls))]


def _spelled(call: ast.expr, text: str) -> list[str]:
    """One name with its settings, once for every combination of their alternatives."""
    if isinstance(call, ast.Name):
        return [call.id]
    if not isinstance(call, ast.Call):
        raise _misplaced(text)
    given = [("", argument) for argument in call.args]
    given += [(f"{keyword.arg}=" if keyword.arg else "**", keyword.value) for keyword in call.keywords]
    choices = [[place + ast.unparse(value) for value in _values(node, text)] for place, node in given]
    return [f"{ast.unparse(call.func)}({', '.join(chosen)})" for chosen in itertools.product(*choices)]


def _values(node: ast.expr, text: str) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_values(node.left, text), *_values(node.right, text)]
    try:
        ast.literal_eval(node)
    except ValueError:
        raise _misplaced(text) from None
    return [node]


def _misplaced(text: str) -> SettingError:
    return SettingError(
        f"cannot read {text!r}: write alternatives as plain values of one setting with | between, "
        "as in 'dropout(hidden_rate=0.1|0.2|0.5)'"
    )


def _name(text: str, family: Sequence[tuple[Strategy, ...]]) -> str:
    return text if len(family) == 1 else ", ".join(strategy.name for strategy in family[0])
