#!/bin/sh
# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.
#
# Puts secrets into the variables that the program reads; then the program takes the place of this shell.
set -eu

cache_password=$(cat /run/secrets/cache-password)
db_password=$(cat /run/secrets/db-password)
jwt=$(cat /run/secrets/jwt)

DATABASE_URL="postgresql://chat_app:${db_password}@db:5432/chat_app"
JWT_SECRET="${jwt}"
REDIS_URL="redis://:${cache_password}@cache:6379"
export DATABASE_URL JWT_SECRET REDIS_URL

exec "$@"
