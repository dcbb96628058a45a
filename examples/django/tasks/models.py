import uuid
from pathlib import PurePosixPath

from django.conf import settings
from django.core.validators import FileExtensionValidator
from django.db import models

# Nothing that a browser would run when it is opened from this host.
EXTENSIONS = ["csv", "gif", "jpeg", "jpg", "pdf", "png", "txt"]


class Task(models.Model):
    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    notes = models.TextField(blank=True, max_length=10_000)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    result = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at"])]

    def __str__(self):
        return self.title

    @property
    def is_open(self):
        return self.status in (self.Status.WAITING, self.Status.RUNNING)


def place(_, name):
    """A name of our own: that of the upload could be anything, and may be there already."""
    return f"{uuid.uuid4()}{PurePosixPath(name).suffix.lower()}"


class Attachment(models.Model):
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    file = models.FileField(upload_to=place, validators=[FileExtensionValidator(EXTENSIONS)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self):
        return self.name


class Tick(models.Model):
    """A beat of the schedule: one row each time, so that it shows when one comes twice, or not at all."""

    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self):
        return self.at.isoformat()
