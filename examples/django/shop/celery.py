import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _logging(**_):
    """Celery logs as the rest of the project does."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
