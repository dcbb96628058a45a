#!/bin/sh
# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.
#
# Puts secrets into the variables that the program reads; then the program takes the place of this shell.
set -eu

cache_password=$(cat /run/secrets/cache-password)
db_password=$(cat /run/secrets/db-password)
secret_key=$(cat /run/secrets/secret-key)

CACHE_URL="redis://:${cache_password}@cache:6379/0"
CELERY_BROKER_URL="redis://:${cache_password}@cache:6379/1"
DATABASE_URL="postgresql://django_app:${db_password}@db:5432/django_app"
SECRET_KEY="${secret_key}"
export CACHE_URL CELERY_BROKER_URL DATABASE_URL SECRET_KEY

exec "$@"
