import http from 'k6/http';

export default function () {
  http.gett('http://localhost:8000/');
}
