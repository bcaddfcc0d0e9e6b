"""Frozen values: validated when made, comparable, printable, storable as JSON.

Numbers are data, structure is code: a value is also a JAX pytree whose leaves are its `float` fields.
Everything else (integers, words, switches, whether an optional number is given) belongs to the tree's
structure. So recipes of equal structure share one compiled program, which takes their numbers as arguments.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)
from weakref import WeakSet

import annotated_types
import jax
import pydantic
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic.fields import FieldInfo

from trainwright.base.errors import SettingError

Class = TypeVar("Class", bound=type)

_CONFIG = pydantic.ConfigDict(
    extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False, arbitrary_types_allowed=True
)


class Config:
    """Base of strategies, networks and recipes."""

    name: ClassVar[str]
    """The name on the command line, in files and in reports: the class's name in snake case."""

    def __str__(self) -> str:
        return self.written()

    def written(self, *always: str) -> str:
        """As on the command line: the name, the settings that differ from the defaults, and these always."""
        settings = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if field.name in always or getattr(self, field.name) != field.default
        ]
        return f"{self.name}({', '.join(settings)})" if settings else self.name

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The value that `to_json` described, validated like any other."""
        return cls(**{name: _fixed(setting) for name, setting in stored.items() if name != "name"})

    def to_json(self) -> dict[str, Any]:
        """The name and every setting, as plain JSON values."""
        settings = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"name": self.name, **settings}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), vars(self).copy())


@dataclass_transform(frozen_default=True)
def config(cls: Class) -> Class:
    """Make a class a frozen, validated dataclass and a pytree whose leaves are its `float` fields.

    An unknown setting, or one of the wrong kind or out of range, raises `SettingError` with the field, the
    value and what is allowed.
    """
    cls = cast(Class, checked_dataclass(frozen=True, config=_CONFIG)(cls))
    cls.name = snake_case(cls.__name__)  # type: ignore[attr-defined]
    for base in cls.__mro__[1:]:  # docstrings of inherited settings, which pydantic leaves behind
        for name, info in getattr(base, "__pydantic_fields__", {}).items():
            settings(cls)[name].description = settings(cls)[name].description or info.description
    check = cls.__init__  # type: ignore[misc]

    def __init__(self: Any, *args: Any, **settings: Any) -> None:
        try:
            check(self, *args, **settings)
        except pydantic.ValidationError as error:
            raise SettingError(_explain(type(self), error)) from None

    cls.__init__ = __init__  # type: ignore[misc]
    _register(cls)
    return cls


def snake_case(name: str) -> str:
    """`BatchNorm` -> `batch_norm`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def parse(text: str) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Read `dropout(hidden_rate=0.5), momentum(0.9)`: each name with its settings. Nothing is evaluated.

    Returns (name, positional settings, named settings) for each; raises `SettingError` for anything else.

    >>> parse("dropout(hidden_rate=0.5), batch_norm")
    [('dropout', [], {'hidden_rate': 0.5}), ('batch_norm', [], {})]
    """
    try:
        body = ast.parse(f"({text.strip()},)" if text.strip() else "()", mode="eval").body
        return [_call(node) for node in body.elts]  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, AttributeError):
        raise SettingError(
            f"cannot read {text!r}{_unclosed(text)}: write names with settings, as in "
            "'dropout(hidden_rate=0.5), l2'"
        ) from None


def _unclosed(text: str) -> str:
    return " (a parenthesis is missing)" if text.count("(") != text.count(")") else ""


def _call(node: ast.expr) -> tuple[str, list[Any], dict[str, Any]]:
    if isinstance(node, ast.Name):
        return node.id, [], {}
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise ValueError
    if any(keyword.arg is None for keyword in node.keywords):
        raise ValueError
    given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    if len(given) < len(node.keywords):
        raise ValueError  # a setting twice
    return node.func.id, [ast.literal_eval(argument) for argument in node.args], given


def settings(cls: type) -> dict[str, FieldInfo]:
    """A value's fields with default, description and constraints, by name."""
    return dict(cls.__pydantic_fields__)  # type: ignore[attr-defined]


def allowed(info: FieldInfo) -> str:
    """What a field accepts, in words: `a number in [0, 1)`, `one of 'train', 'test'`."""
    return _in_words(info.annotation, info.metadata)


def _in_words(annotation: Any, limits: Sequence[Any]) -> str:
    kinds = get_args(annotation)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(repr, kinds))
    if get_origin(annotation) is Annotated:
        return _in_words(kinds[0], kinds[1].metadata)
    if get_origin(annotation) is tuple:
        return "a list in parentheses, each " + _in_words(kinds[0], limits)
    if kinds:
        return " or ".join("None" if kind is type(None) else _in_words(kind, limits) for kind in kinds)
    words = {float: "a number", int: "a whole number", bool: "True or False", str: "a text"}
    text = words.get(annotation, str(getattr(annotation, "__name__", annotation)))
    low, high, left, right = "-∞", "∞", "(", ")"
    for limit in limits:
        match limit:
            case annotated_types.Ge(ge=bound):
                low, left = f"{bound:g}", "["
            case annotated_types.Gt(gt=bound):
                low, left = f"{bound:g}", "("
            case annotated_types.Le(le=bound):
                high, right = f"{bound:g}", "]"
            case annotated_types.Lt(lt=bound):
                high, right = f"{bound:g}", ")"
    return text + (f" in {left}{low}, {high}{right}" if (low, high) != ("-∞", "∞") else "")


def _explain(cls: Any, error: pydantic.ValidationError) -> str:
    fields = settings(cls)
    lines = []
    for problem in error.errors():
        where, given = problem["loc"][0] if problem["loc"] else "", problem["input"]
        if isinstance(where, int) and where < len(fields):  # given by its place
            where = list(fields)[where]
        if problem["type"] == "missing":
            lines.append(f"{where} is not given: give {allowed(fields[str(where)])}")
        elif where in fields:
            lines.append(f"{where} = {given!r} is not allowed: give {allowed(fields[str(where)])}")
        elif isinstance(where, int):
            lines.append(f"{given!r} is one setting too many")
        else:
            known = ", ".join(fields) or "none"
            lines.append(f"there is no setting {where!r}; its settings are: {known}")
    return f"{cls.name}: " + "; ".join(dict.fromkeys(lines))


def _plain(setting: Any) -> Any:
    if isinstance(setting, Config):
        return setting.to_json()
    return [_plain(part) for part in setting] if isinstance(setting, tuple | list) else setting


def _fixed(setting: Any) -> Any:
    return tuple(map(_fixed, setting)) if isinstance(setting, list) else setting


def _rebuilt(cls: Any, settings: dict[str, Any]) -> Any:
    """The value that was pickled. A class of a user's script or notebook travels with it, and is new here."""
    if cls not in _REGISTERED:
        _register(cls)
    new = object.__new__(cls)
    vars(new).update(settings)
    return new


_REGISTERED: WeakSet[Any] = WeakSet()  # classes that JAX knows as pytrees


def _register(cls: Any) -> None:
    _REGISTERED.add(cls)
    leaves = [f.name for f in dataclasses.fields(cls) if _is_number(settings(cls)[f.name].annotation)]
    rest = [f.name for f in dataclasses.fields(cls) if f.name not in leaves]

    def flatten(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(value, n) for n in leaves), tuple(getattr(value, n) for n in rest)

    def unflatten(structure: tuple[Any, ...], numbers: Any) -> Any:
        # Not through __init__: the numbers may be tracers, which no range check could read.
        new = object.__new__(cls)
        for name, part in (*zip(leaves, numbers, strict=True), *zip(rest, structure, strict=True)):
            object.__setattr__(new, name, part)
        return new

    jax.tree_util.register_pytree_node(cls, flatten, unflatten)


def _is_number(annotation: Any) -> bool:
    """Whether a field holds a number, or values that hold numbers themselves."""
    if parts := get_args(annotation):  # of an optional number, or of a tuple of values
        return any(map(_is_number, parts))
    return annotation is float or (isinstance(annotation, type) and issubclass(annotation, Config))
