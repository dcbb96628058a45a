import http from 'k6/http';
import { check, sleep } from 'k6';

const url = __ENV.BASE_URL || 'http://localhost:8000';

export const options = {
  vus: 2,
  duration: '10s',
  thresholds: { http_req_duration: ['p(95)<500'] },
};

export default function () {
  const answer = http.get(`${url}/items`);
  check(answer, { 'is 200': (got) => got.status === 200 });
  sleep(0.1);
}
