# Made by wharf from wharf.yaml (items-redis). Change that file and render again.
#
# 200 users for 15 minutes, ramps included.
#
# locust -f peak.py --headless
# locust -f peak.py --headless --host https://staging.example.com
# locust -f peak.py --headless --users 2 --run-time 10s    # a short try
"""The load scenario `peak`."""

import logging

from locust import HttpUser, LoadTestShape, constant, events, task

# What the command line asked for, before Locust fills in what it did not say.
ASKED = {}


@events.init.add_listener
def remember(environment, **_):
    """Keeps the number of users that was asked for."""
    ASKED["users"] = environment.parsed_options.num_users


class PeakUser(HttpUser):
    """Asks what a user asks, each request as often as its weight says."""

    host = "http://localhost:8000"
    wait_time = constant(0)

    @task(9)
    def get_items_1(self):
        with self.client.request(
            "GET",
            "/items",
            name="GET /items",
            catch_response=True,
        ) as response:
            if response.status_code == 200:
                response.success()
            else:
                response.failure(f"the status is {response.status_code}, not 200")

    @task(1)
    def post_items_2(self):
        with self.client.request(
            "POST",
            "/items",
            name="POST /items",
            json={"name": "from a load test"},
            catch_response=True,
        ) as response:
            if response.status_code == 201:
                response.success()
            else:
                response.failure(f"the status is {response.status_code}, not 201")


class PeakShape(LoadTestShape):
    """Users come, stay and go; `--users` and `--run-time` make it smaller and shorter."""

    use_common_options = True
    users = 200
    # Seconds at the beginning and the end, users at the end.
    stages = [
        (0, 60, 200),
        (60, 870, 200),
        (870, 900, 0),
    ]

    def tick(self):
        options = self.runner.environment.parsed_options
        asked = ASKED.get("users")
        now = self.get_run_time()
        if options.run_time and now >= options.run_time:
            return None
        before = 0
        for begin, end, after in self.stages:
            if now < end:
                wanted = before + (after - before) * (now - begin) / (end - begin)
                share = (asked or self.users) / self.users
                pace = max(1.0, abs(after - before) * share / (end - begin))
                return max(1, round(wanted * share)), pace
            before = after
        return None


@events.quitting.add_listener
def judge(environment, **_):
    """The exit code says whether the thresholds hold."""
    total = environment.stats.total
    if total.num_requests == 0:
        logging.error("nothing was asked")
        environment.process_exit_code = 1
        return
    failures = []
    if total.get_response_time_percentile(0.95) > 500:
        failures.append("the 95th percentile is above 500 ms")
    if total.get_response_time_percentile(0.99) > 1000:
        failures.append("the 99th percentile is above 1000 ms")
    if total.fail_ratio > 0.01:
        failures.append("the part of failures is above 0.01")
    if total.total_rps < 1000:
        failures.append("there are fewer than 1000 requests a second")
    # A short try, or fewer users, say nothing about the scenario.
    whole = not ASKED.get("users") and not environment.parsed_options.run_time
    for failure in failures:
        logging.log(logging.ERROR if whole else logging.WARNING, "threshold: %s", failure)
    environment.process_exit_code = 1 if whole and failures else 0
