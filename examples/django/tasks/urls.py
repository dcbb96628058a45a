from django.urls import path

from tasks import views

urlpatterns = [
    path("", views.index, name="tasks"),
    path("tasks/<int:task>/", views.detail, name="task"),
    path("tasks/<int:task>/again/", views.again, name="again"),
]
