import http from 'k6/http';

export const options = { thresholds: { http_req_duration: ['p(95)<<500'] } };

export default function () {
  http.get('http://localhost:8000/');
}
