"""`trainwright strategies`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from trainwright.cli.options import Json, names_in


def run(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The strategy to explain. Default: list them all.", autocompletion=names_in("strategies")
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the strategies, or explain one.

    The explanation covers what it changes, its settings, its sources and an example.
    """
    from dataclasses import asdict

    from trainwright.cli.terminal import card_page, card_table, console
    from trainwright.report import catalogue

    cards = [catalogue.card(name)] if name else catalogue.cards()
    if as_json:
        print(json.dumps([asdict(card) for card in cards], indent=1))
    else:
        console().print(card_page(cards[0]) if name else card_table(cards))
