// Made by wharf from wharf.yaml (django-app). Change that file and render again.
//
// 200 users for 15 minutes, ramps included.
//
// k6 run peak.js
// k6 run --env BASE_URL=https://staging.example.com peak.js

import http from 'k6/http';
import { check } from 'k6';

const BASE_URL = (__ENV.BASE_URL || 'http://localhost:8000').replace(/\/+$/, '');

export const options = {
  scenarios: {
    'peak': {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
        { duration: '60s', target: 200 },
        { duration: '810s', target: 200 },
        { duration: '30s', target: 0 },
      ],
      gracefulRampDown: '30s',
    },
  },
  // k6 ends with an exit code when one of them does not hold.
  thresholds: {
    http_req_duration: ['p(95)<200'],
    http_req_failed: ['rate<=0.001'],
    http_reqs: ['rate>=1000'],
  },
  summaryTrendStats: ['avg', 'min', 'med', 'p(75)', 'p(95)', 'p(99)', 'max'],
};

const REQUESTS = [
  { method: 'GET', path: '/', name: 'GET /', weight: 8, expect: 200, headers: {}, body: null },
  { method: 'GET', path: '/health', name: 'GET /health', weight: 2, expect: 200, headers: {}, body: null },
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
}
