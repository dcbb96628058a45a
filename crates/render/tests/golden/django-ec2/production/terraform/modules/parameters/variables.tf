# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

variable "parameters" {
  description = "Values by name."
  type        = map(string)
}
