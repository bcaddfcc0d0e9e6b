"""The search for the best recipe: searched, confirmed on fresh data, explained, delivered.

The flow: a `space` says what may be tried. The `procedure` asks for trainings, on validation alone: it tunes
the plain recipe, screens every strategy by itself (`screening`), and races combinations and changes (`moves`,
`racing`) until the `budget` ends. `confirmation` trains what came of it on fresh seeds, judges it on examples
that were set aside before, and takes it apart. `delivery` makes the model. `best` joins them.
"""
