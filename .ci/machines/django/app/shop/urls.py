"""One view: whether the application and its database are there."""

from django.conf import settings
from django.contrib.auth.models import User
from django.http import JsonResponse
from django.urls import path


def health(_request):
    return JsonResponse({"users": User.objects.count(), "secret": len(settings.SECRET_KEY)})


urlpatterns = [path("health", health)]
