"""Tab completion of overrides, by Hydra's own rules."""

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.utils import create_config_search_path
from hydra.core.plugins import Plugins

from ablate.plan.sources import offer_studies
from ablate.task.packaged import packaged


def complete_override(incomplete: str) -> list[str]:
    """What an override may become.

    Args:
        incomplete: What was typed of it.

    Returns:
        Candidates, each the whole word.
    """
    Plugins.instance()
    offer_studies()
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(str(packaged() / "conf")))
    return list(BashCompletion(loader)._query(config_name="config", line=incomplete))
