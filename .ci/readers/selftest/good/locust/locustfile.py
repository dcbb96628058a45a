"""A user who looks at items."""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    wait_time = between(0.1, 0.2)

    @task
    def items(self):
        self.client.get("/items")
