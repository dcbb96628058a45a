from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path, re_path
from django.views.static import serve

from shop import metrics, views

urlpatterns = [
    path("health", views.health, name="health"),
    path("live", views.live, name="live"),
    path("metrics", metrics.exposition, name="metrics"),
    path("admin/", admin.site.urls),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("register/", views.register, name="register"),
    # Where nothing stands in front that answers with files, the application does.
    re_path(r"^media/(?P<path>.*)$", lambda request, path: serve(request, path, settings.MEDIA_ROOT)),
    path("", include("tasks.urls")),
]
