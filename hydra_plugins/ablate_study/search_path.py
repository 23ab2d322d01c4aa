"""Lets ablate's Hydra application find the user's own ``./conf`` and ``./sweeps`` before the packaged ones."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class AblateSearchPath(SearchPathPlugin):
    """Leaves every other Hydra application alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """See Hydra."""
        from ablate.plan.sources import packaged
        from ablate.plan.sources import search_path as entries

        main = [e for e in search_path.get_path() if e.provider == "main"]
        if not main or main[0].path not in (str(packaged() / "conf"), f"file://{packaged() / 'conf'}"):
            return
        for path in reversed(entries()):
            search_path.prepend(provider="ablate", path=path)
