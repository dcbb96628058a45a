# << header >>
#
# << summary >>
#
# locust -f << file >> --headless
# locust -f << file >> --headless --host https://staging.example.com
# locust -f << file >> --headless --users 2 --run-time 10s    # a short try
"""The load scenario `<< name >>`."""

import logging

from locust import HttpUser, LoadTestShape, constant, events, task

# What the command line asked for, before Locust fills in what it did not say.
ASKED = {}


@events.init.add_listener
def remember(environment, **_):
    """Keeps the number of users that was asked for."""
    ASKED["users"] = environment.parsed_options.num_users


class << class >>User(HttpUser):
    """Asks what a user asks, each request as often as its weight says."""

    host = << base_url >>
    wait_time = constant(<< think >>)
<% for task in tasks %>

    @task(<< task.weight >>)
    def << task.function >>(self):
        with self.client.request(
            << task.method >>,
            << task.path >>,
            name=<< task.name >>,
<% if task.headers %>
            headers=<< task.headers >>,
<% endif %>
<% if task.body %>
            json=<< task.body >>,
<% endif %>
            catch_response=True,
        ) as response:
            if response.status_code == << task.expect >>:
                response.success()
            else:
                response.failure(f"the status is {response.status_code}, not << task.expect >>")
<% endfor %>


class << class >>Shape(LoadTestShape):
    """Users come, stay and go; `--users` and `--run-time` make it smaller and shorter."""

    use_common_options = True
    users = << users >>
    # Seconds at the beginning and the end, users at the end.
    stages = [
<% for stage in stages %>
        (<< stage.begin >>, << stage.end >>, << stage.users >>),
<% endfor %>
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
<% if judged %>


@events.quitting.add_listener
def judge(environment, **_):
    """The exit code says whether the thresholds hold."""
    total = environment.stats.total
    if total.num_requests == 0:
        logging.error("nothing was asked")
        environment.process_exit_code = 1
        return
    failures = []
<% if p95 %>
    if total.get_response_time_percentile(0.95) > << p95 >>:
        failures.append("the 95th percentile is above << p95 >> ms")
<% endif %>
<% if p99 %>
    if total.get_response_time_percentile(0.99) > << p99 >>:
        failures.append("the 99th percentile is above << p99 >> ms")
<% endif %>
<% if errors is not none %>
    if total.fail_ratio > << errors >>:
        failures.append("the part of failures is above << errors >>")
<% endif %>
<% if rate %>
    if total.total_rps < << rate >>:
        failures.append("there are fewer than << rate >> requests a second")
<% endif %>
    # A short try, or fewer users, say nothing about the scenario.
    whole = not ASKED.get("users") and not environment.parsed_options.run_time
    for failure in failures:
        logging.log(logging.ERROR if whole else logging.WARNING, "threshold: %s", failure)
    environment.process_exit_code = 1 if whole and failures else 0
<% endif %>
