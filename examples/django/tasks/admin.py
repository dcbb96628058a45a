from django.contrib import admin

from tasks.models import Attachment, Task, Tick


class AttachmentInline(admin.TabularInline):
    model = Attachment
    extra = 0


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):
    list_display = ["title", "owner", "status", "created_at", "finished_at"]
    list_filter = ["status"]
    search_fields = ["title", "owner__username"]
    inlines = [AttachmentInline]


admin.site.register(Tick)
