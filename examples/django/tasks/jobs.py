"""What Celery does, outside of requests. Each may be done twice: a killed worker leaves its task to another one."""

import logging
from datetime import timedelta

from celery import shared_task
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from shop.logs import trace_id
from tasks.models import Task, Tick

log = logging.getLogger(__name__)


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=5)
def complete(task, trace=None):
    """Does what the task asks for: counts the words of its notes, and measures its files."""
    token = trace_id.set(trace)
    try:
        with transaction.atomic():
            found = Task.objects.select_for_update().filter(pk=task).exclude(status=Task.Status.DONE).first()
            if found is None:
                return
            words = len(found.notes.split())
            size = sum(attachment.file.size for attachment in found.attachments.all())
            found.status = Task.Status.DONE
            found.result = f"{words} words, {size} bytes in files"
            found.finished_at = timezone.now()
            found.save(update_fields=["status", "result", "finished_at"])
        log.info("task_completed", extra={"task": task})
    finally:
        trace_id.reset(token)


@shared_task
def tick():
    Tick.objects.create()
    Tick.objects.filter(at__lt=timezone.now() - timedelta(days=7)).delete()
    log.info("tick")


@shared_task
def forget_sessions():
    call_command("clearsessions")
