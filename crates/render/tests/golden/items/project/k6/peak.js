// Made by wharf from wharf.yaml (items). Change that file and render again.
//
// 50 users for 5 minutes, ramps included.
//
// k6 run peak.js
// k6 run --env BASE_URL=https://staging.example.com peak.js

import http from 'k6/http';
import { check, sleep } from 'k6';

const BASE_URL = (__ENV.BASE_URL || 'http://localhost:8000').replace(/\/+$/, '');

export const options = {
  scenarios: {
    'peak': {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
        { duration: '30s', target: 50 },
        { duration: '255s', target: 50 },
        { duration: '15s', target: 0 },
      ],
      gracefulRampDown: '30s',
    },
  },
  // k6 ends with an exit code when one of them does not hold.
  thresholds: {
    http_req_duration: ['p(95)<50'],
    http_req_failed: ['rate<=0.01'],
  },
  summaryTrendStats: ['avg', 'min', 'med', 'p(75)', 'p(95)', 'p(99)', 'max'],
};

const REQUESTS = [
  { method: 'GET', path: '/items', name: 'GET /items', weight: 9, expect: 200, headers: {}, body: null },
  { method: 'POST', path: '/items', name: 'POST /items', weight: 1, expect: 201, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({"name":"from a load test"}) },
];
const TOTAL_WEIGHT = 10;

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

export default function () {
  const request = choose();
  const response = http.request(request.method, BASE_URL + request.path, request.body, {
    headers: request.headers,
    // One name for all values of a query; what the scenario expects is no failure.
    tags: { name: request.name },
    responseCallback: http.expectedStatuses(request.expect),
  });
  check(response, {
    'the status is the expected one': (answer) => answer.status === request.expect,
  });
  sleep(1.0);
}
