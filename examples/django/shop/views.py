import logging
import os

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.db import DatabaseError, connection
from django.http import JsonResponse
from django.shortcuts import redirect, render
from redis import RedisError

from shop import metrics

log = logging.getLogger(__name__)


def health(request):
    """Whether the application and its stores answer."""
    failed = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        log.exception("the database does not answer")
        failed.append("database")
    try:
        if not metrics.is_cache_there():
            failed.append("cache")
    except (RedisError, OSError):
        log.exception("the cache does not answer")
        failed.append("cache")
    body = {"status": "failed" if failed else "ok", "version": os.environ.get("VERSION", "dev"), "pid": os.getpid()}
    if failed:
        body["failed"] = failed
    return JsonResponse(body, status=503 if failed else 200)


def live(request):
    """Whether this process answers. A restart brings no database back, so nothing else is asked."""
    return JsonResponse({"status": "ok"})


def register(request):
    form = UserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save())
        return redirect("tasks")
    return render(request, "registration/register.html", {"form": form})
