"""Where the package and what belongs to it are on disk."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = PACKAGE / "assets"
# An installed wheel carries conf/ and experiments/ inside the package; a checkout has them at the top.
HOME = PACKAGE if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1]
CONF, EXPERIMENTS = HOME / "conf", HOME / "experiments"
