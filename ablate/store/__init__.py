"""The run store: digest to record; atomic, shared by several sweeps at once, versioned."""

from ablate.store.faults import StoreDamaged, StoreUnavailable
from ablate.store.location import shown
from ablate.store.owner import Owner
from ablate.store.schema import SCHEMA_VERSION
from ablate.store.speeds import Speed
from ablate.store.store import FINAL, Store, open_store

__all__ = [
    "FINAL",
    "SCHEMA_VERSION",
    "Owner",
    "Speed",
    "Store",
    "StoreDamaged",
    "StoreUnavailable",
    "open_store",
    "shown",
]
