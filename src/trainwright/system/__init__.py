"""What a published system is, how it is trained again, and the table that comes of it.

The flow: a `System` (`contract`) under a budget is a `Rerun`; `cost` says what it takes; `training` trains it
and keeps its `record`; `table` sets records beside published errors. Where the published protocol is too long
to be tried, `plan` counts what it takes, and `steps` keeps what one of its steps took. The systems themselves
are in `trainwright.systems`, one file for each published table.
"""

from trainwright.system.contract import Extent, Rerun, System, SystemBudget, Table, merged, system

__all__ = ["Extent", "Rerun", "System", "SystemBudget", "Table", "merged", "system"]
