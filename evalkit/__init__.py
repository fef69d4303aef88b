"""evalkit: find out, every week, whether a change to retrieval made product search better."""

from evalkit.errors import EvalkitError, InputError, ModelError, SettingsError, StoreError

__version__ = "0.1.0"

__all__ = ["EvalkitError", "InputError", "ModelError", "SettingsError", "StoreError", "__version__"]
