import json
import logging
import re

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from shop.logs import JsonFormatter, trace_id
from tasks.jobs import complete, tick
from tasks.models import Attachment, Task, Tick

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ada(client):
    user = User.objects.create_user("ada", password="lovelace-1815")
    client.force_login(user)
    return user


def test_health_tells_that_the_stores_answer(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["X-Trace-Id"])


def test_a_trace_id_is_kept(client):
    given = "0af76519-16cd-43dd-8448-eb211c80319c"
    assert client.get("/health", headers={"X-Trace-Id": given})["X-Trace-Id"] == given
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert client.get("/health", headers={"traceparent": parent})["X-Trace-Id"] == given
    assert client.get("/health", headers={"X-Trace-Id": "x" * 500})["X-Trace-Id"] != "x" * 500


def test_a_line_of_the_log_is_json_with_the_trace_id():
    token = trace_id.set("t")
    try:
        record = logging.makeLogRecord(
            {"msg": "hello %s", "args": ("you",), "levelname": "INFO", "name": "n", "path": "/"}
        )
        line = json.loads(JsonFormatter().format(record))
    finally:
        trace_id.reset(token)
    assert line["event"] == "hello you" and line["trace_id"] == "t" and line["path"] == "/" and line["level"] == "info"


def test_metrics_count_requests_by_pattern(client, ada):
    task = Task.objects.create(owner=ada, title="one")
    client.get(f"/tasks/{task.pk}/")
    text = client.get("/metrics").content.decode()
    assert 'http_requests_total{endpoint="/tasks/<int:task>/",method="GET",status="200"}' in text
    assert "http_request_duration_seconds_bucket" in text


def test_somebody_registers_and_makes_a_task(client, django_capture_on_commit_callbacks):
    account = {"username": "bob", "password1": "a-good-secret-7", "password2": "a-good-secret-7"}
    assert client.post("/register/", account).status_code == 302
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/", {"title": "Read", "notes": "three words here"}).status_code == 302
    task = Task.objects.get()
    assert (task.owner.username, task.status, task.result) == ("bob", "done", "3 words, 0 bytes in files")


def test_tasks_are_their_owners_alone(client, ada):
    other = User.objects.create_user("eve", password="x")
    task = Task.objects.create(owner=other, title="secret")
    assert client.get(f"/tasks/{task.pk}/").status_code == 404
    client.logout()
    assert client.get("/").status_code == 302


def test_what_is_written_is_shown_as_text(client, ada):
    task = Task.objects.create(owner=ada, title="<script>alert(1)</script>", notes="<b>x</b>")
    page = client.get(f"/tasks/{task.pk}/").content.decode()
    assert "<script>alert" not in page and "<b>x</b>" not in page


def test_a_file_is_uploaded_and_read_back(client, ada):
    task = Task.objects.create(owner=ada, title="one")
    file = SimpleUploadedFile("../../notes.txt", b"hello")
    assert client.post(f"/tasks/{task.pk}/", {"file": file}).status_code == 302
    attachment = Attachment.objects.get()
    assert attachment.name == "notes.txt"
    assert b"".join(client.get(attachment.file.url).streaming_content) == b"hello"


def test_what_a_browser_would_run_is_refused(client, ada):
    task = Task.objects.create(owner=ada, title="one")
    answer = client.post(f"/tasks/{task.pk}/", {"file": SimpleUploadedFile("a.html", b"<script>")})
    assert answer.status_code == 422
    assert not Attachment.objects.exists()


def test_a_task_that_is_done_twice_is_done_once(ada):
    task = Task.objects.create(owner=ada, title="one", notes="a b")
    complete(task.pk)
    first = Task.objects.get().finished_at
    complete(task.pk)
    assert Task.objects.get().finished_at == first


def test_too_many_tasks_are_refused(client, ada):
    for _ in range(60):
        client.post("/", {"title": "one"})
    answer = client.post("/", {"title": "one"})
    assert answer.status_code == 422
    assert "too often" in answer.content.decode()


def test_a_tick_is_one_row(ada):
    tick()
    tick()
    assert Tick.objects.count() == 2
