from django import forms

from tasks.models import Attachment, Task


class TaskForm(forms.ModelForm):
    class Meta:
        model = Task
        fields = ["title", "notes"]
        widgets = {"notes": forms.Textarea(attrs={"rows": 3})}


class AttachmentForm(forms.ModelForm):
    MAX_BYTES = 5 * 1024 * 1024

    class Meta:
        model = Attachment
        fields = ["file"]

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > self.MAX_BYTES:
            raise forms.ValidationError("A file has at most 5 MiB.")
        return file

    def save_to(self, task):
        self.instance.task = task
        self.instance.name = self.cleaned_data["file"].name[:200]
        return self.save()
