"""Lets ablate's Hydra application find the user's own ``./conf`` before the packaged one."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class AblateSearchPath(SearchPathPlugin):
    """Leaves every other Hydra application alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """See Hydra."""
        from ablate.plan.sources import own_conf
        from ablate.task.packaged import packaged

        main = [entry.path for entry in search_path.get_path() if entry.provider == "main"]
        own = own_conf()
        if own is not None and main in ([str(packaged() / "conf")], [f"file://{packaged() / 'conf'}"]):
            search_path.prepend(provider="ablate", path=f"file://{own}")
