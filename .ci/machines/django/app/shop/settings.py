"""As small as Django can be; what the machine has to give is asked for, and missing it is an error."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
# The test has no PostgreSQL; its URL still has to be whole.
DATABASE_URL = urlsplit(os.environ["DATABASE_URL"])
assert DATABASE_URL.hostname == "db.example.com", DATABASE_URL
assert unquote(DATABASE_URL.password) == "p@ss/w:rd?#%&\"'\\$(x)`y`", DATABASE_URL
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/var/lib/django-app/test.sqlite3"}}
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles"]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "assets"]
USE_TZ = True
