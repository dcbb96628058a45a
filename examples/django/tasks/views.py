from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from shop.logs import trace_id
from tasks.forms import AttachmentForm, TaskForm
from tasks.jobs import complete
from tasks.models import Task

# Tasks that somebody may make in a minute.
LIMIT = 60


@login_required
def index(request):
    form = TaskForm(request.POST or None)
    if request.method == "POST":
        if not within_limit(request.user):
            form.add_error(None, "That was too often: wait a minute.")
        elif form.is_valid():
            form.instance.owner = request.user
            task = form.save()
            start(task)
            return redirect(task_page(task))
    page = Paginator(request.user.tasks.all(), 20).get_page(request.GET.get("page"))
    status = 200 if request.method == "GET" or not form.errors else 422
    return render(request, "tasks/index.html", {"form": form, "page": page}, status=status)


@login_required
def detail(request, task):
    task = get_object_or_404(Task, pk=task, owner=request.user)
    form = AttachmentForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save_to(task)
        return redirect(task_page(task))
    status = 200 if request.method == "GET" else 422
    return render(request, "tasks/detail.html", {"form": form, "task": task}, status=status)


@login_required
@require_POST
def again(request, task):
    task = get_object_or_404(Task, pk=task, owner=request.user)
    task.status, task.result, task.finished_at = Task.Status.WAITING, "", None
    task.save()
    start(task)
    return redirect(task_page(task))


def start(task):
    """Once the task is there for whoever does it."""
    trace = trace_id.get()
    transaction.on_commit(lambda: complete.delay(task.pk, trace))


def task_page(task):
    return f"/tasks/{task.pk}/"


def within_limit(user):
    key = f"tasks-of-{user.pk}"
    cache.add(key, 0, 60)
    try:
        return cache.incr(key) <= LIMIT
    except ValueError:
        # It ran out in between: a new minute.
        return True
