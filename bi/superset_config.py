"""Superset's settings for the check: loopback only, its own metadata, no call to anywhere."""

import os
from pathlib import Path

HOME = Path(os.environ["SEGQL_BI_HOME"])

SECRET_KEY = os.environ["SEGQL_BI_SECRET"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME / 'superset.db'}"
DATA_DIR = str(HOME)

# The check talks to the API with a token, on loopback: there is no form to protect.
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False

# The map charts' tiles and the usage pixel are the only things that leave the machine.
MAPBOX_API_KEY = ""
ENABLE_UI_THEME_ADMINISTRATION = False
SCARF_ANALYTICS = False
