// << header >>
//
// << summary >>
//
// k6 run << file >>
// k6 run --env BASE_URL=https://staging.example.com << file >>

import http from 'k6/http';
import { check<% if think %>, sleep<% endif %> } from 'k6';

const BASE_URL = (__ENV.BASE_URL || << base_url >>).replace(/\/+$/, '');

export const options = {
  scenarios: {
    '<< name >>': {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
<% for stage in stages %>
        { duration: '<< stage.seconds >>s', target: << stage.users >> },
<% endfor %>
      ],
      gracefulRampDown: '30s',
    },
  },
<% if thresholds %>
  // k6 ends with an exit code when one of them does not hold.
  thresholds: {
<% for threshold in thresholds %>
    << threshold >>,
<% endfor %>
  },
<% endif %>
  summaryTrendStats: ['avg', 'min', 'med', 'p(75)', 'p(95)', 'p(99)', 'max'],
};

const REQUESTS = [
<% for request in requests %>
  { << request >> },
<% endfor %>
];
<% if several %>
const TOTAL_WEIGHT = << total >>;

// One of the requests, each as often as its weight says.
function choose() {
  let place = Math.random() * TOTAL_WEIGHT;
  for (const request of REQUESTS) {
    place -= request.weight;
    if (place < 0) {
      return request;
    }
  }
  return REQUESTS[0];
}
<% endif %>

export default function () {
  const request = <% if several %>choose()<% else %>REQUESTS[0]<% endif %>;
  const response = http.request(request.method, BASE_URL + request.path, request.body, {
    headers: request.headers,
    // One name for all values of a query; what the scenario expects is no failure.
    tags: { name: request.name },
    responseCallback: http.expectedStatuses(request.expect),
  });
  check(response, {
    'the status is the expected one': (answer) => answer.status === request.expect,
  });
<% if think %>
  sleep(<< think >>);
<% endif %>
}
