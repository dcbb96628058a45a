#!/bin/sh
# Made by wharf from wharf.yaml (chat-app). Change that file and render again.
#
# Puts secrets into the variables that the program reads; then the program takes the place of this shell.
set -eu

cache_password=$(cat /run/secrets/cache-password)
jwt=$(cat /run/secrets/jwt)

JWT_SECRET="${jwt}"
REDIS_URL="redis://:${cache_password}@cache:6379"
export JWT_SECRET REDIS_URL

exec "$@"
