#!/bin/sh
# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.
#
# Puts secrets into the variables that the program reads; then the program takes the place of this shell.
set -eu

db_password=$(cat /run/secrets/db-password)
secret_key=$(cat /run/secrets/secret-key)

DATABASE_URL="postgresql://django_app:${db_password}@db:5432/django_app"
SECRET_KEY="${secret_key}"
export DATABASE_URL SECRET_KEY

exec "$@"
